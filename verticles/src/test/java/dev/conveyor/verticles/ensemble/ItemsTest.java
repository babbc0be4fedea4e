package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.steps.Steps;
import dev.conveyor.scheduler.CoreBudget;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.HandOver;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Context;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the items of a request ask the line for, with the line played by the test. */
final class ItemsTest {

  private static final int ITEMS = 100;
  private static final long DEADLINE_NS = 1L << 62;

  private record Asked(InferCall call, ReplyTo path) {}

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();
  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);
  private final BufferPool stepMemory = new BufferPool(BlockAllocator.host(), 1 << 20);
  private final List<Asked> asked = new ArrayList<>();
  private final List<String> givenUp = new ArrayList<>();
  private final Promise<InferenceResponse> answer = Promise.promise();
  private HandOver handOver;
  private ReplyTo reply;

  private final InferenceGateway line =
      new InferenceGateway() {
        @Override
        public ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
          ReplyTo path = new ReplyTo(context, handler);
          asked.add(new Asked(call, path));
          return path;
        }

        @Override
        public void onGivenUp(String model) {
          givenUp.add(model);
        }
      };

  @BeforeEach
  void start() {
    onContext(this::begin);
  }

  @AfterEach
  void stop() {
    TestServer.await(vertx.close());
    assertThat(pool.leasedBytes()).isZero();
    assertThat(stepMemory.leasedBytes()).isZero();
    pool.close();
  }

  @Test
  void shouldAskForAFewItemsAtATimeAsTheRequestDoes() {
    onContext(
        () -> {
          assertThat(asked).hasSize(Items.WINDOW);
          for (Asked item : asked) {
            assertThat(item.call().model()).isEqualTo("a");
            assertThat(item.call().priority()).isEqualTo(3);
            assertThat(item.call().tenant()).isEqualTo("line-1");
            assertThat(item.call().deadlineNs()).isEqualTo(DEADLINE_NS);
            assertThat(item.call().timeoutMicros()).isBetween(1L, 60_000_000L);
          }
          respond(5);
        });
    // The answer is delivered in a turn of its own.
    onContext(() -> assertThat(asked).hasSize(Items.WINDOW + 1));
    onContext(() -> reply.fail(new InferenceException(ErrorCode.CANCELLED, "enough")));
    onContext(() -> assertThat(givenUp).containsExactly("a"));
    onContext(this::closeInputs);
  }

  @Test
  void shouldJoinInTheOrderOfTheItemsWhateverComesFirst() {
    onContext(
        () -> {
          for (int i = Items.WINDOW - 1; i >= 0; i--) {
            respond(i);
          }
        });
    onContext(
        () -> {
          assertThat(asked).hasSize(ITEMS);
          for (int i = ITEMS - 1; i >= Items.WINDOW; i--) {
            respond(i);
          }
        });
    InferenceResponse response = TestServer.await(answer.future());
    float[] values = Requests.floats(response.outputs().get(0));
    assertThat(response.outputs().get(0).shape()).isEqualTo(Shape.of(ITEMS, 4));
    for (int i = 0; i < values.length; i++) {
      assertThat(values[i]).isEqualTo(i);
    }
    assertThat(givenUp).isEmpty();
    response.close();
  }

  @Test
  void shouldCountWhatTheModelsGaveHoweverSmallAndEndWhereThereIsNoRoom() {
    HeapShare others = stepMemory.heapShare();
    assertThat(others.growTo(stepMemory.maxBytes() - 10 * 16)).isTrue();
    onContext(
        () -> {
          for (int i = 0; i < 11; i++) {
            respond(i);
          }
        });
    Throwable failure =
        TestServer.await(answer.future().<Throwable>map(r -> null).otherwise(e -> e));
    assertThat(failure)
        .isInstanceOfSatisfying(
            InferenceException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.QUEUE_FULL))
        .hasMessage(
            "ensemble 'e': step 0 (model 'a'), item 10: no memory for 'OUTPUT0', 16 bytes:"
                + " 1048576 of 1048576 bytes for requests are in use");
    onContext(
        () -> {
          assertThat(stepMemory.leasedBytes()).isEqualTo(others.sizeBytes());
          others.close();
          asked.stream().skip(11).forEach(a -> a.call().inputs().forEach(Tensor::close));
        });
  }

  @Test
  void shouldCallOffTheOthersWhenOneFailsAndBeginNoMore() {
    onContext(
        () -> {
          respond(0);
          asked
              .get(7)
              .path()
              .fail(new InferenceException(ErrorCode.EXECUTION_FAILED, "out of order"));
        });
    Throwable failure =
        TestServer.await(answer.future().<Throwable>map(r -> null).otherwise(e -> e));
    assertThat(failure)
        .hasMessage("ensemble 'e': step 0 (model 'a'), item 7: out of order")
        .isInstanceOf(InferenceException.class);
    onContext(
        () -> {
          assertThat(asked).hasSizeLessThanOrEqualTo(Items.WINDOW + 1);
          assertThat(asked).allMatch(item -> item.path().isDone());
          assertThat(givenUp).containsExactly("a");
          closeInputs();
        });
  }

  @Test
  void shouldCountAsCopiedWhatComesIntoABatchFromAnotherPlace() {
    onContext(
        () -> {
          InferCall first = asked.get(0).call();
          first.arrived(first.inputs());
          assertThat(handOver.handedOnBytes()).isEqualTo(16);
          assertThat(handOver.copiedBytes()).isZero();

          InferCall second = asked.get(1).call();
          second.arrived(
              List.of(Requests.tensor("INPUT0", Requests.floats(first.inputs().get(0)))));
          assertThat(handOver.handedOnBytes()).isEqualTo(32);
          assertThat(handOver.copiedBytes()).isEqualTo(16);

          // The row of another item, in the same memory.
          InferCall third = asked.get(2).call();
          third.arrived(asked.get(3).call().inputs());
          assertThat(handOver.copiedBytes()).isEqualTo(32);
          reply.fail(new InferenceException(ErrorCode.CANCELLED, "enough"));
        });
    onContext(this::closeInputs);
  }

  private void begin() {
    ServedModel served = served();
    Ensemble ensemble = served.ensemble();
    assertThat(ensemble).isNotNull();
    handOver = ensemble.handOver();
    InferCall call = new InferCall("e", "", List.of(), 3, 60_000_000, DEADLINE_NS, "line-1");
    StepStage stage = new StepStage(vertx, 1, new CoreBudget(1), stepMemory, Long.MAX_VALUE);
    EnsembleRun run = new EnsembleRun(served, ensemble, call, System.nanoTime(), line, stage);
    reply = TestEnsembles.replyTo(context, run, answer);
    Lease lease = pool.tryAcquire(16 * ITEMS).orElseThrow();
    lease.buffer().put(0, Requests.counting(0, 4 * ITEMS));
    Tensor input = Tensor.ofLease("IN", DataType.FP32, Shape.of(ITEMS, 4), lease, 0, 16 * ITEMS);
    run.start(List.of(input), 1, reply);
  }

  private void respond(int index) {
    Asked item = asked.get(index);
    Tensor input = item.call().inputs().get(0);
    Tensor copy = Requests.tensor("OUTPUT0", Requests.floats(input));
    input.close();
    assertThat(item.path().succeed(new InferenceResponse("a", "1", List.of(copy)))).isTrue();
  }

  /** The line owns the inputs of what it was asked. */
  private void closeInputs() {
    asked.forEach(item -> item.call().inputs().forEach(Tensor::close));
  }

  private static ServedModel served() {
    return TestEnsembles.served(
        """
        {"platform": "ensemble",
         "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [-1, 4]}],
         "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [-1, 4]}],
         "ensemble_scheduling": {"step": [{"model_name": "a",
           "input_map": {"INPUT0": "IN"}, "output_map": {"OUTPUT0": "OUT"}}]},
         "conveyor": {"ensemble_step": [{"for_each": ["INPUT0"]}]}}""",
        (model, version) -> TestEnsembles.member("INPUT0", "OUTPUT0"),
        Steps.onClassPath(),
        step -> null);
  }

  private void onContext(Runnable turn) {
    Promise<Void> done = Promise.promise();
    context.runOnContext(
        v -> {
          try {
            turn.run();
            done.complete();
          } catch (Throwable e) {
            done.fail(e);
          }
        });
    TestServer.await(done.future());
  }
}
