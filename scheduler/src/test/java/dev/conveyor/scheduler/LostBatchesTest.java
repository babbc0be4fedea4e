package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.scheduler.SchedulerCommand.InstanceGone;
import dev.conveyor.scheduler.SchedulerCommand.InstanceReady;
import io.vertx.core.Future;
import io.vertx.core.eventbus.Message;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** What the actor does about instances that do not answer for their batches. */
final class LostBatchesTest extends SchedulerActor {

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
    deploy(20, NanoClock.SYSTEM);
    add(DynamicBatching.DEFAULT);
    instance(0);

    Call call = submit(1).get(0);

    assertThat(failure(call)).hasMessageContaining("its instances were lost");
    assertThat(pool.leasedBytes()).as("the hung instance may still read it").isPositive();
    call.request().close();
    assertThat(snapshot().devices().get(0).used()).isZero();
  }

  @Test
  void shouldWaitForABatchAsLongAsEachOfItsPartsIsInTime() throws Exception {
    get(vertx.undeploy(deployment));
    AtomicLong nowNs = new AtomicLong(System.nanoTime());
    deploy(700, nowNs::get);
    BlockingQueue<InstanceLost> lost = supervise();
    add(DynamicBatching.DEFAULT);
    instance(0);
    Call call = submit(1).get(0);
    Message<Batch> batch = arrived();
    for (int part = 0; part < 30; part++) {
      pass(50 * MS, nowNs);
      batch.body().clock().start(nowNs.get());
    }
    answer(batch);
    get(call.answer());
    assertThat(lost).isEmpty();
  }

  @Test
  void shouldCountARepetitionOnlyIfItIsTaken() throws Exception {
    BlockingQueue<InstanceLost> lost = supervise();
    BlockingQueue<RetryDecision> decisions = decisions();
    add(DynamicBatching.DEFAULT);
    instance(0);
    Call call = submit(1).get(0);
    Message<Batch> running = arrived();
    Future<?> unused = request(new SchedulerCommand.RemoveModel(KEY, ""));
    running.fail(1, "the process died");

    assertThat(failure(call)).hasMessageContaining("unloading");
    assertThat(lost.poll(60, TimeUnit.SECONDS)).isNotNull();
    assertThat(decisions.poll(60, TimeUnit.SECONDS))
        .isEqualTo(new RetryDecision(KEY, "unavailable", "the process died"));
  }

  @Test
  void shouldBlameARequestOnceItHasCostThreeInstances() throws Exception {
    BlockingQueue<InstanceLost> lost = supervise();
    BlockingQueue<RetryDecision> decisions = decisions();
    add(DynamicBatching.DEFAULT);
    instance(0);
    Call first = submit(1).get(0);
    loseAlone();
    assertThat(decisions.poll(60, TimeUnit.SECONDS))
        .isEqualTo(new RetryDecision(KEY, "", "SIGSEGV"));
    instance(1);
    loseAlone();
    assertThat(failure(first).code()).isEqualTo(ErrorCode.UNAVAILABLE);
    assertThat(decisions.poll(60, TimeUnit.SECONDS).refusal()).isEqualTo("repeated");

    instance(2);
    Call resent = submit(1).get(0);
    loseAlone();
    InferenceException failure = failure(resent);
    assertThat(failure.code()).isEqualTo(ErrorCode.EXECUTION_FAILED);
    assertThat(failure).hasMessageContaining("SIGSEGV");
    assertThat(decisions.poll(60, TimeUnit.SECONDS))
        .isEqualTo(new RetryDecision(KEY, RetryDecision.TO_BLAME, "SIGSEGV"));
    assertThat(pool.leasedBytes()).isZero();
    assertThat(lost).hasSize(3);
  }

  @Test
  void shouldNotBlameARequestThatRanWithOthers() throws Exception {
    BlockingQueue<InstanceLost> lost = supervise();
    add(DynamicBatching.DEFAULT);
    instance(0);
    for (int i = 0; i < 3; i++) {
      Call call = submit(1).get(0);
      for (int run = 0; run < 2; run++) {
        Message<Batch> batch = arrived();
        batch.body().requests().forEach(request -> request.triedIn(batch.body().id()));
        batch.body().clock().start(System.nanoTime());
        batch.fail(1, "the process died");
        assertThat(lost.poll(60, TimeUnit.SECONDS)).isNotNull();
        instance(1 + 2 * i + run);
      }
      assertThat(failure(call).code()).isEqualTo(ErrorCode.UNAVAILABLE);
    }
  }

  private void loseAlone() throws Exception {
    Message<Batch> batch = arrived();
    InferenceRequest only = batch.body().requests().get(0);
    only.triedIn(batch.body().id());
    batch.body().clock().start(System.nanoTime(), only);
    batch.fail(1, "SIGSEGV");
  }

  private BlockingQueue<RetryDecision> decisions() throws Exception {
    BlockingQueue<RetryDecision> decisions = new LinkedBlockingQueue<>();
    get(
        vertx
            .eventBus()
            .<RetryDecision>localConsumer(
                Addresses.RETRIES, message -> decisions.add(message.body()))
            .completion());
    return decisions;
  }

  @Test
  void shouldRunABatchAgainInTheDeploymentThatReplacesItsOwn() throws Exception {
    BlockingQueue<InstanceLost> lost = supervise();
    add(DynamicBatching.DEFAULT);
    instance(0);
    Call call = submit(1).get(0);
    Message<Batch> running = arrived();
    add(new ModelPlan("m", "2", 8, Optional.of(DynamicBatching.DEFAULT), 1, 100));
    instance("m/2", 0);
    Future<?> removed = request(new SchedulerCommand.RemoveModel(KEY, "2"));
    running.fail(1, "the process died");

    Message<Batch> again = arrived();
    assertThat(again.address()).isEqualTo(Addresses.instance("m/2", 0));
    answer(again);
    get(call.answer());
    get(removed);
    assertThat(lost.poll(60, TimeUnit.SECONDS)).isNotNull();
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
    InstanceLost told = lost.poll(60, TimeUnit.SECONDS);
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
    AtomicLong nowNs = new AtomicLong(System.nanoTime());
    deploy(300, nowNs::get);
    BlockingQueue<InstanceLost> lost = supervise();
    add(DynamicBatching.DEFAULT);
    instance(0);
    Call call = submit(1).get(0);
    Message<Batch> hung = arrived();
    for (int look = 0; look < 6; look++) {
      pass(50 * MS, nowNs);
    }
    InstanceLost later = new InstanceLost(KEY, 99, InstanceLost.Cause.SICK, "after the limit");
    get(vertx.eventBus().request(Addresses.LOST, later, SchedulerActor.LOCAL));
    assertThat(lost.poll()).as("nothing came at the limit").isEqualTo(later);
    pass(50 * MS, nowNs);
    assertThat(lost.poll(60, TimeUnit.SECONDS).cause()).isEqualTo(InstanceLost.Cause.HUNG);

    instance(1);
    answer(arrived());
    get(call.answer());
    assertThat(pool.leasedBytes()).as("may still be read").isPositive();
    hung.body().requests().get(0).close();
    assertThat(pool.leasedBytes()).isZero();
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

  /** Lets time pass, after which the scheduler looks at what runs. */
  private void pass(long ns, AtomicLong nowNs) throws Exception {
    nowNs.addAndGet(ns);
    command(new InstanceGone(KEY, 99)); // Nobody: it is answered once decisions were taken.
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
}
