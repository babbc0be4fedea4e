package dev.conveyor.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.scheduler.SchedulerCommand.InstanceGone;
import dev.conveyor.scheduler.SchedulerCommand.InstanceReady;
import dev.conveyor.scheduler.SchedulerCommand.RemoveModel;
import io.vertx.core.Future;
import io.vertx.core.eventbus.Message;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** The actor: its turns, batches, replies and commands. */
final class SchedulerVerticleTest extends SchedulerActor {

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
  void shouldFreeTheMemoryOfACancelledRequestWhileItsModelIsBusy() throws Exception {
    add(DynamicBatching.DEFAULT);
    instance(0);
    submit(1);
    Message<Batch> busy = arrived();
    List<Call> calls = submit(2);
    long before = pool.leasedBytes();
    calls.get(0).request().replyTo().fail(new InferenceException(ErrorCode.CANCELLED, "gone"));
    vertx.eventBus().send(Addresses.CANCELLED, "m", LOCAL);

    assertThat(failure(calls.get(0)).code()).isEqualTo(ErrorCode.CANCELLED);
    add(plan(DynamicBatching.DEFAULT, "other"));
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
    Future<?> removed = request(new RemoveModel(KEY, ""));
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
  void shouldTellTheSenderOfACommandThatCannotBeDone() {
    Future<?> refused = request(new InstanceReady(new InstanceRef("nobody/1", 0, "cpu", 1)));

    assertThat(refused.toCompletionStage().toCompletableFuture())
        .failsWithin(Duration.ofSeconds(60))
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
}
