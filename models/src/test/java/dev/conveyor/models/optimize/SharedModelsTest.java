package dev.conveyor.models.optimize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.OnnxRules;
import dev.conveyor.models.optimize.graph.Preparation;
import dev.conveyor.models.optimize.precision.BrainWeights;
import dev.conveyor.models.optimize.precision.HalfConverter;
import dev.conveyor.models.optimize.quantize.Calibration;
import dev.conveyor.models.optimize.quantize.Int8Quantizer;
import dev.conveyor.models.optimize.quantize.Observations;
import dev.conveyor.models.optimize.quantize.QuantizationPlan;
import dev.conveyor.models.optimize.quantize.Target;
import dev.conveyor.models.optimize.sparsity.Pruning;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks as others publish them, transformed: the rules of ONNX hold and ONNX Runtime agrees. */
final class SharedModelsTest {

  private static Path file(String name) {
    String data =
        Optional.ofNullable(System.getProperty("conveyor.testdata"))
            .or(() -> Optional.ofNullable(System.getenv("CONVEYOR_TESTDATA")))
            .orElse("../../shared/data"); // tests run in the folder of the module
    Path file = Path.of(data, "models", name);
    assumeTrue(Files.exists(file), () -> "no test data at " + file + ": set -Dconveyor.testdata");
    return file;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "squeezenet11_random.onnx",
        "ultraface_rfb_320.onnx",
        "shufflenet.onnx",
        "inception_v1.onnx"
      })
  void shouldKeepTheRulesAndRun(String name) {
    Graph prepared = Preparation.prepare(OnnxFile.read(file(name))).graph();
    Map<String, Graph> variants = new LinkedHashMap<>();
    variants.put("prepared", prepared);
    TensorSpec input;
    try (OnnxSession session = session("prepared", prepared)) {
      input = session.inputs().get(0);
    }
    DataSet items = TinyModels.data(input.name(), 1, input.shape().withFirst(1).toArray());
    QuantizationPlan plan = QuantizationPlan.of(prepared, Set.of());
    Observations seen = Observations.of(prepared, plan.values(), items, 1, Progress.NONE);
    for (Target target : Target.values()) {
      variants.put(
          "int8 for " + target,
          Int8Quantizer.quantize(
              plan,
              seen.ranges(Calibration.MINMAX),
              new Int8Quantizer.Options(target, 127, seen.channelMeans())));
    }
    variants.put(
        "fp16",
        HalfConverter.convert(prepared, new HalfConverter.Options(Set.of(), false, Map.of()))
            .graph());
    variants.put("bf16", BrainWeights.convert(prepared, Set.of()));
    variants.put("sparse", Pruning.twoOfFour(prepared, Set.of()).graph());

    variants.forEach(
        (what, graph) -> {
          assertThat(OnnxRules.check(graph.toModel())).as(what).isEmpty();
          try (OnnxSession session = session(what, graph)) {
            assertThat(session.run(items.sample(0).inputs())).as(what).isNotEmpty();
          }
        });
  }

  private static OnnxSession session(String what, Graph graph) {
    return new OnnxSession(what, graph.toModel().toByteArray(), OnnxSession.Options.threads(1));
  }
}
