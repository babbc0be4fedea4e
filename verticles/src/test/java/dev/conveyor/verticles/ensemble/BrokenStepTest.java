package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepFactory;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Context;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A step that breaks its contract, so that the steps behind it cannot begin. */
final class BrokenStepTest {

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();
  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);
  private final StepStage stage = new StepStage(vertx, 1);

  private final InferenceGateway noModels =
      new InferenceGateway() {
        @Override
        public ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
          throw new IllegalStateException("no step here is a model");
        }

        @Override
        public void onGivenUp(String model) {
          throw new IllegalStateException("no step here is a model");
        }
      };

  /** Gives its input, which is closed when it ends, not memory of its own. */
  private static final class GivesItsInput implements StepFactory, Step {
    @Override
    public String name() {
      return "gives_its_input";
    }

    @Override
    public Step create(StepSettings settings) {
      return this;
    }

    @Override
    public List<String> inputs() {
      return List.of("x");
    }

    @Override
    public List<TensorSpec> outputs(List<TensorSpec> inputs) {
      return List.of(new TensorSpec("y", DataType.FP32, inputs.get(0).shape()));
    }

    @Override
    public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
      return List.of(inputs.get(0).renamed("y"));
    }
  }

  /** Reads two tensors. */
  private static final class Takes implements StepFactory, Step {
    @Override
    public String name() {
      return "takes";
    }

    @Override
    public Step create(StepSettings settings) {
      return this;
    }

    @Override
    public List<String> inputs() {
      return List.of("a", "b");
    }

    @Override
    public List<TensorSpec> outputs(List<TensorSpec> inputs) {
      return List.of(new TensorSpec("y", DataType.FP32, inputs.get(0).shape()));
    }

    @Override
    public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
      throw new IllegalStateException("its inputs cannot be had");
    }
  }

  @AfterEach
  void stop() {
    TestServer.await(stage.close());
    TestServer.await(vertx.close());
    pool.close();
  }

  @Test
  void shouldNameTheStepThatCannotBeginAndKeepNeitherItsPlaceNorItsTensors() {
    ServedModel served = served("[]");
    // A place that is kept would let the second one wait for ever.
    for (int request = 0; request < 2; request++) {
      assertThat(failure(served)).contains("step 1 (model 'conveyor.takes'): ").contains("closed");
      assertThat(pool.leasedBytes()).isZero();
    }
  }

  @Test
  void shouldGiveBackTheRowsOfAnItemThatCannotBegin() {
    ServedModel served = served("[{\"step\": 1, \"for_each\": [\"a\"]}]");
    for (int request = 0; request < 2; request++) {
      assertThat(failure(served)).contains("closed");
      assertThat(pool.leasedBytes()).isZero();
    }
  }

  private String failure(ServedModel served) {
    Promise<InferenceResponse> answer = Promise.promise();
    context.runOnContext(v -> begin(served, answer));
    return TestServer.await(
        answer.future().map(response -> "an answer").otherwise(Throwable::getMessage));
  }

  private void begin(ServedModel served, Promise<InferenceResponse> answer) {
    InferCall call = new InferCall("e", "", List.of(), 0, 0, InferenceRequest.NO_DEADLINE, "");
    Ensemble ensemble = served.ensemble();
    assertThat(ensemble).isNotNull();
    EnsembleRun run = new EnsembleRun(served, ensemble, call, System.nanoTime(), noModels, stage);
    run.start(
        List.of(leased("IN"), leased("GOOD")), 1, TestEnsembles.replyTo(context, run, answer));
  }

  private Tensor leased(String name) {
    Lease lease = pool.tryAcquire(16).orElseThrow();
    return Tensor.ofLease(name, DataType.FP32, Shape.of(1, 4), lease, 0, 16);
  }

  /** Step 1 reads a good tensor, then one that is closed; step 2 reads the closed one, too. */
  private static ServedModel served(String flow) {
    return TestEnsembles.served(
        """
        {"platform": "ensemble",
         "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [-1, 4]},
                   {"name": "GOOD", "data_type": "TYPE_FP32", "dims": [-1, 4]}],
         "output": [{"name": "ONE", "data_type": "TYPE_FP32", "dims": [-1, 4]},
                    {"name": "TWO", "data_type": "TYPE_FP32", "dims": [-1, 4]}],
         "ensemble_scheduling": {"max_inflight_requests": 1, "step": [
           {"model_name": "conveyor.gives_its_input",
            "input_map": {"x": "IN"}, "output_map": {"y": "bad"}},
           {"model_name": "conveyor.takes",
            "input_map": {"a": "GOOD", "b": "bad"}, "output_map": {"y": "ONE"}},
           {"model_name": "conveyor.takes",
            "input_map": {"a": "bad", "b": "bad"}, "output_map": {"y": "TWO"}}]},
         "conveyor": {"ensemble_step": %s}}"""
            .formatted(flow),
        (model, version) -> {
          throw new IllegalStateException(model);
        },
        new Steps(List.of(new GivesItsInput(), new Takes())),
        step -> null);
  }
}
