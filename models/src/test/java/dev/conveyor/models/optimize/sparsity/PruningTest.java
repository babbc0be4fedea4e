package dev.conveyor.models.optimize.sparsity;

import static dev.conveyor.models.optimize.TinyModels.item;
import static dev.conveyor.models.optimize.TinyModels.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.Arrays;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class PruningTest {

  private final Graph graph = TinyModels.classifier().graph();

  @Test
  void shouldLeaveTheTwoLargestOfEveryFourAlongTheInputChannels() {
    assertThat(Pruning.verified(graph)).as("before").isEmpty();

    Pruning.Result result = Pruning.twoOfFour(graph, Set.of());

    assertThat(result.layers()).containsExactlyElementsOf(Pruning.eligible(graph)).hasSize(3);
    assertThat(Pruning.verified(result.graph())).containsExactlyElementsOf(result.layers());
    float[] before = Weights.floats(graph.weights().get("w1"));
    float[] after = Weights.floats(result.graph().weights().get("w1"));
    // w1 is [8,4,3,3]: the four input channels at kernel position 0 of output 0.
    int kept = 0;
    for (int a = 0; a < 4; a++) {
      int larger = 0;
      for (int b = 0; b < 4; b++) {
        larger += Math.abs(before[b * 9]) > Math.abs(before[a * 9]) ? 1 : 0;
      }
      assertThat(after[a * 9]).isEqualTo(larger < 2 ? before[a * 9] : 0f);
      kept += after[a * 9] != 0 ? 1 : 0;
    }
    assertThat(kept).isEqualTo(2);
    assertThat(run(result.graph().toModel(), item("image", 1, 1, 4, 8, 8))).hasSize(3);
  }

  @Test
  void shouldPassOverLayersThatSparseKernelsCannotTake() {
    Graph three =
        TinyModels.opset(13)
            .input("x", -1, 3, 4, 4)
            .output("y", -1, 4, 4, 4)
            .weight("w", 1, 4, 3, 1, 1)
            .node("Conv", "x,w", "y")
            .graph();

    assertThat(Pruning.twoOfFour(three, Set.of()).layers()).isEmpty();
  }

  @Test
  void shouldSetTheShareAskedForToZero() {
    Pruning.Result result = Pruning.unstructured(graph, 0.75, Set.of("g_node"));

    assertThat(result.layers()).hasSize(2);
    float[] values = Weights.floats(result.graph().weights().get("w2"));
    long zeros = 0;
    for (float value : values) {
      zeros += value == 0 ? 1 : 0;
    }
    assertThat(zeros).isEqualTo(values.length * 3 / 4);
  }

  @Test
  void shouldTakeChannelsAwayWhereNothingElseNeedsThem() {
    Graph chain =
        TinyModels.opset(13)
            .input("x", -1, 3, 4, 4)
            .output("y", -1, 2)
            .weight("w1", 1, 16, 3, 3, 3)
            .weight("b1", 1, 16)
            .weight("w2", 1, 16, 16, 1, 1)
            .weight("w3", 1, 16, 2)
            .node("Conv", "x,w1,b1", "c1")
            .node("Relu", "c1", "r1")
            .node("Conv", "r1,w2", "c2")
            .node("GlobalAveragePool", "c2", "p")
            .node("Flatten", "p", "f")
            .node("Gemm", "f,w3", "y")
            .graph();
    // The upper half of the channels of the first layer says nothing, so its loss changes nothing.
    float[] w1 = Weights.floats(chain.weights().get("w1"));
    float[] b1 = Weights.floats(chain.weights().get("b1"));
    Arrays.fill(w1, w1.length / 2, w1.length, 0);
    Arrays.fill(b1, 8, 16, 0);
    chain.weights().put("w1", Weights.ofFloats(new long[] {16, 3, 3, 3}, w1));
    chain.weights().put("b1", Weights.ofFloats(new long[] {16}, b1));

    Pruning.Result result = ChannelPruning.prune(chain, 0.5, Set.of("c2_node"));

    assertThat(result.layers()).containsExactly("c1_node");
    assertThat(result.graph().weights().get("w1_pruned").getDimsList())
        .containsExactly(8L, 3L, 3L, 3L);
    assertThat(run(result.graph().toModel(), item("x", 1, 1, 3, 4, 4)))
        .containsExactly(run(chain.toModel(), item("x", 1, 1, 3, 4, 4)), within(1e-5f));
    assertThat(ChannelPruning.prune(chain, 0.5, Set.of()).layers()).hasSize(2);
  }

  @Test
  void shouldLeaveChannelsThatAreAdded() {
    assertThat(ChannelPruning.prune(graph, 0.5, Set.of()).layers()).isEmpty();
  }
}
