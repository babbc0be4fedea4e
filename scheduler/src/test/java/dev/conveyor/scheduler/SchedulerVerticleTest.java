package dev.conveyor.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.scheduler.SchedulerCommand.AddModel;
import dev.conveyor.scheduler.SchedulerCommand.InstanceGone;
import dev.conveyor.scheduler.SchedulerCommand.InstanceReady;
import dev.conveyor.scheduler.SchedulerCommand.RemoveModel;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The actor over a real Vert.x, with instances that the test plays itself. */
final class SchedulerVerticleTest {

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
  private static final String KEY = "m/1";

  /** One event loop: what a front end sends in a turn is there before the scheduler decides. */
  private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));

  private final Context frontEnd = vertx.getOrCreateContext();
  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);
  private final BlockingQueue<Message<Batch>> arrived = new LinkedBlockingQueue<>();
  private String deployment;

  @BeforeEach
  void deploy() throws Exception {
    LocalCodec.registerAll(vertx);
    deploy(60_000);
  }

  @AfterEach
  void close() throws Exception {
    get(vertx.close());
    pool.close();
  }

  @Test
  void shouldRunRequestsOfOneTurnAsOneBatchAndAnswerThem() throws Exception {
    add(DynamicBatching.DEFAULT);
    instance(0);

    List<Call> calls = submit(5);
    Message<Batch> message = arrived();

    assertThat(message.body().items()).isEqualTo(5);
    assertThat(message.body().requests())
        .containsExactlyElementsOf(calls.stream().map(Call::request).toList());
    answer(message);
    for (Call call : calls) {
      assertThat(get(call.answer()).model()).isEqualTo("m");
    }
    assertThat(pool.leasedBytes()).isZero();
    SchedulerSnapshot snapshot = snapshot();
    assertThat(snapshot.models().get(0).dispatchedBatches()).isEqualTo(1);
    assertThat(snapshot.models().get(0).dispatchedRequests()).isEqualTo(5);
  }

  @Test
  void shouldHoldTheNextBatchUntilTheInstanceReplied() throws Exception {
    add(DynamicBatching.DEFAULT);
    instance(0);
    submit(1);
    Message<Batch> first = arrived();
    List<Call> next = submit(3);
    assertThat(snapshot().models().get(0).queuedRequests()).isEqualTo(3);
    assertThat(arrived).isEmpty();

    answer(first);
    Message<Batch> second = arrived();
    assertThat(second.body().items()).isEqualTo(3);
    answer(second);
    get(next.get(2).answer());
  }

  @Test
  void shouldFailTheBatchWhenItsInstanceIsNotThere() throws Exception {
    add(DynamicBatching.DEFAULT);
    command(new InstanceReady(new InstanceRef(KEY, 0, "cpu", 1)));

    InferenceException failure = failure(submit(1).get(0));

    assertThat(failure.code()).isEqualTo(ErrorCode.UNAVAILABLE);
    assertThat(failure).hasMessageContaining("its instances were lost");
    assertThat(pool.leasedBytes()).isZero();
    assertThat(snapshot().models().get(0).instances()).isZero();
    assertThat(failure(submit(1).get(0)).code()).isEqualTo(ErrorCode.UNAVAILABLE);

    instance(0);
    Call call = submit(1).get(0);
    answer(arrived());
    get(call.answer());
  }

  @Test
  void shouldFailTheBatchWhenItsInstanceDoesNotReplyInTime() throws Exception {
    get(vertx.undeploy(deployment));
    deploy(20);
    add(DynamicBatching.DEFAULT);
    instance(0);

    Call call = submit(1).get(0);

    assertThat(failure(call)).hasMessageContaining("its instances were lost");
    assertThat(pool.leasedBytes()).as("the hung instance may still read it").isPositive();
    call.request().close();
    assertThat(snapshot().devices().get(0).used()).isZero();
  }

  @Test
  void shouldRunABatchAgainElsewhereWhenItsInstanceIsSick() throws Exception {
    BlockingQueue<InstanceLost> lost = supervise();
    add(DynamicBatching.DEFAULT);
    instance(0);
    List<Call> calls = submit(3);
    Message<Batch> first = arrived();
    first.body().requests().forEach(request -> request.triedIn(first.body().id()));
    first.fail(1, "the process died");
    InstanceLost told = lost.poll(10, TimeUnit.SECONDS);
    assertThat(told)
        .isEqualTo(new InstanceLost(KEY, 0, InstanceLost.Cause.SICK, "the process died"));

    instance(1);
    Message<Batch> again = arrived();
    assertThat(again.body().requests()).hasSize(3);
    again.body().requests().forEach(request -> request.triedIn(again.body().id()));
    again.fail(1, "this one too");
    for (Call call : calls) {
      assertThat(failure(call).code()).isEqualTo(ErrorCode.UNAVAILABLE);
      assertThat(failure(call)).hasMessageContaining("this one too");
    }
    assertThat(pool.leasedBytes()).isZero();
  }

  @Test
  void shouldKeepTheInputsOfAHungExecutionUntilItIsBack() throws Exception {
    get(vertx.undeploy(deployment));
    deploy(300);
    BlockingQueue<InstanceLost> lost = supervise();
    add(DynamicBatching.DEFAULT);
    instance(0);
    Call call = submit(1).get(0);
    Message<Batch> hung = arrived();
    assertThat(lost.poll(10, TimeUnit.SECONDS).cause()).isEqualTo(InstanceLost.Cause.HUNG);

    instance(1);
    answer(arrived());
    get(call.answer());
    assertThat(pool.leasedBytes()).as("may still be read").isPositive();
    hung.body().requests().get(0).close();
    assertThat(pool.leasedBytes()).isZero();
  }

  @Test
  void shouldFreeTheMemoryOfACancelledRequestWhileItsModelIsBusy() throws Exception {
    add(DynamicBatching.DEFAULT);
    instance(0);
    submit(1);
    Message<Batch> busy = arrived();
    List<Call> calls = submit(2);
    long before = pool.leasedBytes();
    calls.get(0).request().replyTo().fail(new InferenceException(ErrorCode.CANCELLED, "gone"));
    vertx.eventBus().send(Addresses.CANCELLED, KEY, LOCAL);

    assertThat(failure(calls.get(0)).code()).isEqualTo(ErrorCode.CANCELLED);
    command(new AddModel(plan(DynamicBatching.DEFAULT, "other")));
    SchedulerSnapshot.Model model = snapshot().models().get(0);
    assertThat(model.queuedRequests()).isEqualTo(1);
    assertThat(model.cancelled()).isEqualTo(1);
    assertThat(pool.leasedBytes()).isLessThan(before);

    answer(busy);
    assertThat(arrived().body().requests()).containsExactly(calls.get(1).request());
    calls.get(1).request().close();
  }

  @Test
  void shouldRefuseAndFreeWhatCannotBeQueued() throws Exception {
    assertThat(failure(submit(1).get(0)).code()).isEqualTo(ErrorCode.NOT_FOUND);
    add(
        new DynamicBatching(
            List.of(),
            Duration.ZERO,
            false,
            0,
            0,
            new QueuePolicy(TimeoutAction.REJECT, Duration.ofMillis(1), false, 1),
            Map.of()));
    List<Call> calls = submit(2);

    assertThat(failure(calls.get(1)))
        .hasMessageContaining("exceeds maximum queue size")
        .extracting("code")
        .isEqualTo(ErrorCode.QUEUE_FULL);
    assertThat(failure(calls.get(0))).hasMessage("Request timeout expired");
    assertThat(pool.leasedBytes()).isZero();
  }

  @Test
  void shouldSendAPartialBatchWhenTheDelayIsOver() throws Exception {
    add(
        new DynamicBatching(
            List.of(), Duration.ofMillis(1), false, 0, 0, QueuePolicy.DEFAULT, Map.of()));
    instance(0);

    List<Call> calls = submit(2);
    Message<Batch> message = arrived();

    assertThat(message.body().dispatchNs() - calls.get(0).request().arrivalNs())
        .isGreaterThanOrEqualTo(1_000_000);
    answer(message);
    get(calls.get(1).answer());
  }

  @Test
  void shouldReplyToRemovalWhenEverythingWasAnswered() throws Exception {
    add(DynamicBatching.DEFAULT);
    instance(0);
    submit(1);
    Message<Batch> running = arrived();
    Call queued = submit(1).get(0);
    Future<?> removed = request(new RemoveModel(KEY));
    Future<?> gone = request(new InstanceGone(KEY, 1));
    get(gone);
    assertThat(failure(submit(1).get(0)).code()).isEqualTo(ErrorCode.UNAVAILABLE);
    assertThat(removed.isComplete()).isFalse();

    answer(running);
    answer(arrived());
    get(queued.answer());
    get(removed);
    assertThat(snapshot().models()).isEmpty();
    assertThat(failure(submit(1).get(0)).code()).isEqualTo(ErrorCode.NOT_FOUND);
  }

  @Test
  void shouldReplyToTheEndOfAnInstanceWhenItsBatchIsDone() throws Exception {
    add(DynamicBatching.DEFAULT);
    instance(0);
    submit(1);
    Message<Batch> running = arrived();
    Future<?> gone = request(new InstanceGone(KEY, 0));
    assertThat(snapshot().models().get(0).instances()).isZero();
    assertThat(gone.isComplete()).isFalse();

    answer(running);
    get(gone);
  }

  @Test
  void shouldTellTheSenderOfACommandThatCannotBeDone() {
    Future<?> refused = request(new InstanceReady(new InstanceRef("nobody/1", 0, "cpu", 1)));

    assertThat(refused.toCompletionStage().toCompletableFuture())
        .failsWithin(Duration.ofSeconds(10))
        .withThrowableOfType(ExecutionException.class)
        .withMessageContaining("nobody/1#0: unknown model");
  }

  @Test
  void shouldFailWhatIsQueuedWhenItStops() throws Exception {
    add(DynamicBatching.DEFAULT);
    List<Call> calls = submit(3);
    assertThat(snapshot().models().get(0).queuedItems()).isEqualTo(3);

    get(vertx.undeploy(deployment));

    for (Call call : calls) {
      assertThat(failure(call).code()).isEqualTo(ErrorCode.SHUTTING_DOWN);
    }
    assertThat(pool.leasedBytes()).isZero();
  }

  private record Call(InferenceRequest request, Future<InferenceResponse> answer) {}

  private void deploy(long executionTimeoutMs) throws Exception {
    deployment =
        get(
            vertx.deployVerticle(
                new SchedulerVerticle(
                    List.of(DeviceSpec.cpu("cpu", 2)), NanoClock.SYSTEM, executionTimeoutMs)));
  }

  private void add(DynamicBatching batching) throws Exception {
    command(new AddModel(plan(batching, "m")));
  }

  private static ModelPlan plan(DynamicBatching batching, String name) {
    return new ModelPlan(name, "1", 8, Optional.of(batching), 1, 100);
  }

  private void instance(int index) throws Exception {
    get(
        vertx
            .eventBus()
            .<Batch>localConsumer(Addresses.instance(KEY, index), arrived::add)
            .completion());
    command(new InstanceReady(new InstanceRef(KEY, index, "cpu", 1)));
  }

  private void command(SchedulerCommand command) throws Exception {
    get(request(command));
  }

  private Future<?> request(SchedulerCommand command) {
    return vertx.eventBus().request(Addresses.CONTROL, command, LOCAL);
  }

  /** Sends requests in one turn of the front end's event loop. */
  private List<Call> submit(int count) throws Exception {
    Promise<List<Call>> sent = Promise.promise();
    frontEnd.runOnContext(
        v -> {
          List<Call> calls = new ArrayList<>();
          for (int i = 0; i < count; i++) {
            calls.add(newCall());
          }
          calls.forEach(call -> vertx.eventBus().send(Addresses.SUBMIT, call.request(), LOCAL));
          sent.complete(calls);
        });
    return get(sent.future());
  }

  /** Does what a supervisor does: hears of losses, so that requests wait for another instance. */
  private BlockingQueue<InstanceLost> supervise() {
    BlockingQueue<InstanceLost> lost = new LinkedBlockingQueue<>();
    vertx
        .eventBus()
        .<InstanceLost>localConsumer(
            Addresses.LOST,
            message -> {
              lost.add(message.body());
              message.reply(null);
            });
    return lost;
  }

  private Call newCall() {
    Promise<InferenceResponse> answer = Promise.promise();
    Lease lease = pool.acquire(64);
    Tensor input = Tensor.ofLease("x", DataType.UINT8, Shape.of(1, 64), lease, 0, 64);
    ReplyTo replyTo =
        new ReplyTo(
            frontEnd,
            (response, failure) -> {
              if (failure == null) {
                answer.complete(response);
              } else {
                answer.fail(failure);
              }
            });
    InferenceRequest request =
        new InferenceRequest(
            "m",
            "1",
            List.of(input),
            1,
            0,
            0,
            System.nanoTime(),
            0,
            InferenceRequest.NO_DEADLINE,
            replyTo,
            null);
    return new Call(request, answer.future());
  }

  private Message<Batch> arrived() throws Exception {
    Message<Batch> message = arrived.poll(10, TimeUnit.SECONDS);
    assertThat(message).as("a batch arrives").isNotNull();
    return message;
  }

  /** Does what an instance does: answers and closes every request, then replies. */
  private static void answer(Message<Batch> message) {
    Replies replies = new Replies();
    for (InferenceRequest request : message.body().requests()) {
      request.close();
      replies.succeed(request.replyTo(), new InferenceResponse("m", "1", List.of()));
    }
    replies.flush();
    message.reply(new BatchOutcome(true, message.body().items(), 0, 0, 1000, 0, 1000), LOCAL);
  }

  private SchedulerSnapshot snapshot() throws Exception {
    return get(
        vertx
            .eventBus()
            .<SchedulerSnapshot>request(Addresses.SNAPSHOT, null, LOCAL)
            .map(Message::body));
  }

  private static InferenceException failure(Call call) throws Exception {
    return (InferenceException)
        get(call.answer().map((Throwable) null).otherwise(Throwable.class::cast));
  }

  private static <T> T get(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }
}
