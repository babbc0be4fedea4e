package dev.conveyor.models.optimize.quantize;

import static dev.conveyor.models.optimize.TinyModels.data;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class IntegerUpsamplingTest {

  private final DataSet items = data("x", 8, 2, 4, 3, 5);

  @Test
  void shouldDoublePicturesAsTheResizeDid() {
    Graph model = model(2f);
    Graph quantised = quantise(model);

    assertThat(types(quantised)).contains("Concat").doesNotContain("Resize");
    assertThat(Sensitivity.agreement(model, quantised, items).sqnrDb()).isGreaterThan(30);
  }

  @Test
  void shouldLeaveOtherResizesAlone() {
    Graph model = model(3f);
    Graph quantised = quantise(model);

    assertThat(types(quantised)).contains("Resize");
    assertThat(Sensitivity.agreement(model, quantised, items).sqnrDb()).isGreaterThan(30);
  }

  private static Graph model(float scale) {
    long factor = (long) scale;
    return TinyModels.opset(13)
        .input("x", -1, 4, 3, 5)
        .output("y", -1, 8, 3 * factor, 5 * factor)
        .weight("w1", 0.4, 8, 4, 1, 1)
        .weight("w2", 0.4, 8, 8, 1, 1)
        .weight("scales", Weights.ofFloats(new long[] {4}, 1, 1, scale, scale))
        .node("Conv", "x,w1", "c")
        .node("Relu", "c", "r")
        .node("Resize", "r,,scales", "u")
        .node("Conv", "u,w2", "y")
        .graph();
  }

  private Graph quantise(Graph graph) {
    QuantizationPlan plan = QuantizationPlan.of(graph, Set.of());
    Observations seen = Observations.of(graph, plan.values(), items, 1, Progress.NONE);
    return Int8Quantizer.quantize(
        plan, seen.ranges(Calibration.MINMAX), new Int8Quantizer.Options(Target.CPU, 127));
  }

  private static List<String> types(Graph graph) {
    return graph.nodes().stream().map(Node::type).toList();
  }
}
