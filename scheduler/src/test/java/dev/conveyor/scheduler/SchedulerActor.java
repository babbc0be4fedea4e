package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.SchedulerCommand.AddModel;
import dev.conveyor.scheduler.SchedulerCommand.InstanceReady;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.isolation.ExecutionLimit;
import dev.conveyor.scheduler.isolation.Suspects;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** The scheduler's actor over a real Vert.x, with instances that the test plays itself. */
abstract class SchedulerActor {

  static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
  static final String KEY = "m/1";

  /** One event loop: what a front end sends in a turn is there before the scheduler decides. */
  final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));

  final Context frontEnd = vertx.getOrCreateContext();
  final BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);
  final BlockingQueue<Message<Batch>> arrived = new LinkedBlockingQueue<>();
  String deployment;

  @BeforeEach
  void deploy() throws Exception {
    LocalCodec.registerAll(vertx);
    deploy(60_000, NanoClock.SYSTEM);
  }

  @AfterEach
  void close() throws Exception {
    get(vertx.close());
    pool.close();
  }

  record Call(InferenceRequest request, Future<InferenceResponse> answer) {}

  void deploy(long unknownLimitMs, NanoClock clock) throws Exception {
    ExecutionLimit limit = new ExecutionLimit(unknownLimitMs * MS, 60_000 * MS);
    deployment =
        get(
            vertx.deployVerticle(
                new SchedulerVerticle(
                    List.of(DeviceSpec.cpu("cpu", 2)), Tenants.DEFAULT, clock, limit, busy -> {})));
  }

  void add(DynamicBatching batching) throws Exception {
    add(plan(batching, "m"));
  }

  void add(ModelPlan plan) throws Exception {
    command(new AddModel(plan, new LoadCell(), new Suspects()));
  }

  static ModelPlan plan(DynamicBatching batching, String name) {
    return new ModelPlan(name, "1", 8, Optional.of(batching), 1, 100);
  }

  void instance(int index) throws Exception {
    instance(KEY, index);
  }

  void instance(String key, int index) throws Exception {
    get(
        vertx
            .eventBus()
            .<Batch>localConsumer(Addresses.instance(key, index), arrived::add)
            .completion());
    command(new InstanceReady(new InstanceRef(key, index, "cpu", 1)));
  }

  void command(SchedulerCommand command) throws Exception {
    get(request(command));
  }

  Future<?> request(SchedulerCommand command) {
    return vertx.eventBus().request(Addresses.CONTROL, command, LOCAL);
  }

  /** Sends requests in one turn of the front end's event loop. */
  List<Call> submit(int count) throws Exception {
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

  Call newCall() {
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
        InferenceRequest.of("m", "1", List.of(input), replyTo).arrivalNs(System.nanoTime()).build();
    return new Call(request, answer.future());
  }

  Message<Batch> arrived() throws Exception {
    Message<Batch> message = arrived.poll(60, TimeUnit.SECONDS);
    assertThat(message).as("a batch arrives").isNotNull();
    return message;
  }

  /** Does what an instance does: answers and closes every request, then replies. */
  static void answer(Message<Batch> message) {
    Replies replies = new Replies();
    for (InferenceRequest request : message.body().requests()) {
      request.close();
      replies.succeed(request.replyTo(), new InferenceResponse("m", "1", List.of()));
    }
    replies.flush();
    message.reply(new BatchOutcome(true, message.body().items(), 0, 0, 1000, 0, 1000), LOCAL);
  }

  SchedulerSnapshot snapshot() throws Exception {
    return get(
        vertx
            .eventBus()
            .<SchedulerSnapshot>request(Addresses.SNAPSHOT, null, LOCAL)
            .map(Message::body));
  }

  static InferenceException failure(Call call) throws Exception {
    return (InferenceException)
        get(call.answer().map((Throwable) null).otherwise(Throwable.class::cast));
  }

  static <T> T get(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }
}
