package dev.conveyor.models.ensemble;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.models.config.StepFlow;
import dev.conveyor.models.steps.Steps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PlanBuilderTest {

  private static final String HEAD =
      "{'platform': 'ensemble', 'max_batch_size': 8,"
          + " 'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
          + " 'output': [{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
          + " 'ensemble_scheduling': {'step': [";

  @TempDir private Path dir;

  @Test
  void shouldOrderStepsByTheirTensorsAndShareWhatSeveralRead() {
    EnsemblePlan plan =
        plan(
            HEAD
                + "{'model_name': 'sum', 'input_map': {'A': 'left', 'B': 'right'},"
                + " 'output_map': {'SUM': 'OUT'}},"
                + step("a", "IN", "left")
                + ","
                + step("b", "IN", "right")
                + "]}}");

    StepGraph graph = plan.graph();
    assertThat(graph.uses().get(graph.inputs().get(0).slot())).isEqualTo(2);
    Progress progress = new Progress(graph);
    assertThat(progress.start()).containsExactly(1, 2);
    assertThat(progress.done(2)).isEmpty();
    assertThat(progress.isFinished()).isFalse();
    assertThat(progress.done(1)).containsExactly(0);
    assertThat(progress.done(0)).isEmpty();
    assertThat(progress.isFinished()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "a IN OUT, a IN OUT | step[1].output_map | \"OUT\" is an output of step 0 already",
        "a IN IN | step[0].output_map | an input of the ensemble already",
        "a NONE OUT | step[0].input_map | \"NONE\", which is neither",
        "a x OUT, a OUT x | step[0].input_map | a cycle: step 0 waits for step 1 waits for step 0",
        "nobody IN OUT | step[0].model_name | 'nobody' is not found",
        "ints IN OUT | step[0].input_map.INPUT0 | expected TYPE_INT32 [-1,4]",
        "wide IN OUT | step[0].input_map.INPUT0 | tensor \"IN\", which is TYPE_FP32 [-1,4]",
        "small IN OUT | step[0].model_name | \"small\" with 2",
        "a IN x | output[0].name | found \"OUT\"",
        "conveyor.nothing IN OUT | step[0].model_name | found \"conveyor.nothing\"",
      })
  void shouldNameWhatIsWrong(String steps, String key, String problem) {
    StringBuilder json = new StringBuilder(HEAD);
    for (String step : steps.split(", ", -1)) {
      String[] words = step.split(" ", -1);
      json.append(json.length() == HEAD.length() ? "" : ",")
          .append(step(words[0], words[1], words[2]));
    }

    assertThatThrownBy(() -> plan(json + "]}}"))
        .isInstanceOfSatisfying(ConfigException.class, e -> assertThat(e.key()).endsWith(key))
        .hasMessageContaining(problem);
  }

  @Test
  void shouldNameInputsThatAreMissingOrUnknown() {
    assertThatThrownBy(
            () ->
                plan(
                    HEAD
                        + "{'model_name': 'sum', 'input_map': {'A': 'IN'},"
                        + " 'output_map': {'SUM': 'OUT'}}]}}"))
        .hasMessageContaining("step[0].input_map: expected a tensor for the input \"B\"");
    assertThatThrownBy(
            () ->
                plan(
                    HEAD
                        + "{'model_name': 'a', 'input_map': {'INPUT0': 'IN', 'Z': 'IN'},"
                        + " 'output_map': {'OUTPUT0': 'OUT'}}]}}"))
        .hasMessageContaining("step[0].input_map: expected one of [INPUT0], found \"Z\"");
    assertThatThrownBy(
            () ->
                plan(
                    HEAD
                        + "{'model_name': 'a', 'input_map': {'INPUT0': 'IN'},"
                        + " 'output_map': {'Z': 'OUT'}}]}}"))
        .hasMessageContaining("step[0].output_map: expected one of [OUTPUT0], found \"Z\"");
  }

  @Test
  void shouldReadTritonsTextFormatAndWriteItBack() throws IOException {
    Path model = Files.createDirectories(dir.resolve("both"));
    Files.writeString(
        model.resolve("config.pbtxt"),
        """
        platform: "ensemble"
        max_batch_size: 4
        input [ { name: "IN" data_type: TYPE_FP32 dims: [ 4 ] } ]
        output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 4 ] } ]
        ensemble_scheduling {
          step [
            {
              model_name: "a"
              model_version: -1
              input_map { key: "INPUT0" value: "IN" }
              output_map { key: "OUTPUT0" value: "x" }
            },
            {
              model_name: "b"
              model_version: 3
              input_map { key: "INPUT0" value: "x" }
              output_map { key: "OUTPUT0" value: "OUT" }
            }
          ]
          max_inflight_requests: 5
        }
        parameters {
          key: "conveyor"
          value { string_value: "{\\"ensemble_step\\": [{\\"step\\": 1, \\"when\\": \\"x\\"}]}" }
        }
        """);

    ModelConfig config = ModelConfigReader.read(model);

    assertThat(config.ensemble().orElseThrow().maxInflightRequests()).isEqualTo(5);
    assertThat(config.ensemble().orElseThrow().steps().get(1).version()).isEqualTo(3);
    assertThat(config.extensions().stepFlows())
        .containsExactly(new StepFlow(1, List.of(), 256, StepFlow.Excess.REJECT, false, "x", ""));
    assertThat(ModelConfigReader.read("both", ModelConfigWriter.toJson(config))).isEqualTo(config);
    assertThat(ModelConfigWriter.toJson(config)).contains("\"platform\":\"ensemble\"");
  }

  private static String step(String model, String input, String output) {
    return "{'model_name': '%s', 'input_map': {'INPUT0': '%s'}, 'output_map': {'OUTPUT0': '%s'}}"
        .formatted(model, input, output);
  }

  private static EnsemblePlan plan(String json) {
    ModelConfig config = ModelConfigReader.read("both", json.replace('\'', '"'));
    return PlanBuilder.build(config, (model, version) -> member(model), Steps.onClassPath());
  }

  private static Member member(String model) {
    return switch (model) {
      case "a", "b" -> unary(DataType.FP32, 4, 8);
      case "ints" -> unary(DataType.INT32, 4, 8);
      case "wide" -> unary(DataType.FP32, 5, 8);
      case "small" -> unary(DataType.FP32, 4, 2);
      case "sum" -> {
        Shape shape = Shape.of(-1, 4);
        List<TensorSpec> in =
            List.of(
                new TensorSpec("A", DataType.FP32, shape),
                new TensorSpec("B", DataType.FP32, shape));
        yield new Member(in, in, List.of(new TensorSpec("SUM", DataType.FP32, shape)), 8);
      }
      default ->
          throw new InferenceException(ErrorCode.NOT_FOUND, "model '" + model + "' is not found");
    };
  }

  private static Member unary(DataType type, int width, int maxBatchSize) {
    List<TensorSpec> in = List.of(new TensorSpec("INPUT0", type, Shape.of(-1, width)));
    return new Member(
        in, in, List.of(new TensorSpec("OUTPUT0", type, Shape.of(-1, width))), maxBatchSize);
  }
}
