package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.ensemble.Member;
import dev.conveyor.models.ensemble.PlanBuilder;
import dev.conveyor.models.steps.Steps;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InstanceBoard;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import io.vertx.core.Context;
import io.vertx.core.Promise;
import java.util.List;
import java.util.Map;

/** Ensembles without a server, over models that the test plays. */
public final class TestEnsembles {

  private TestEnsembles() {}

  /**
   * Returns version 1 of an ensemble that is called {@code e}.
   *
   * @param json its configuration, in single quotes or double ones
   * @param members what its models take and give
   * @param serving what serves them when it runs
   */
  public static ServedModel served(
      String json, Member.Lookup members, Steps steps, Ensemble.Members serving) {
    ModelConfig config = ModelConfigReader.read("e", json.replace('\'', '"'));
    return ServedModel.ensemble(
        "e",
        "1",
        config,
        Map.of(),
        Ensemble.of(
            PlanBuilder.build(config, members, steps),
            config.ensemble().orElseThrow().maxInflightRequests(),
            1,
            step -> new RecordingModelStats(),
            serving),
        new InstanceBoard(() -> ""));
  }

  /** Returns a model of FP32 [batch,4] in and out, up to 8 rows at a time. */
  public static Member member(String input, String output) {
    List<TensorSpec> inputs = List.of(new TensorSpec(input, DataType.FP32, Shape.of(-1, 4)));
    List<TensorSpec> outputs = List.of(new TensorSpec(output, DataType.FP32, Shape.of(-1, 4)));
    return new Member(inputs, inputs, outputs, 8);
  }

  /** Returns the return path of a run, which ends with it. */
  static ReplyTo replyTo(Context context, EnsembleRun run, Promise<InferenceResponse> answer) {
    return new ReplyTo(
        context,
        (response, failure) -> {
          run.end();
          if (response == null) {
            answer.fail(failure);
          } else {
            answer.complete(response);
          }
        });
  }
}
