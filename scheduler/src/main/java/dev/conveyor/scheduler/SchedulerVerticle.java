package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.SchedulerCommand.AddModel;
import dev.conveyor.scheduler.SchedulerCommand.AnswerAll;
import dev.conveyor.scheduler.SchedulerCommand.GiveUp;
import dev.conveyor.scheduler.SchedulerCommand.InstanceGone;
import dev.conveyor.scheduler.SchedulerCommand.InstanceReady;
import dev.conveyor.scheduler.SchedulerCommand.Note;
import dev.conveyor.scheduler.SchedulerCommand.RemoveModel;
import dev.conveyor.scheduler.SchedulerCommand.SeedProfile;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.decisions.DecisionQuery;
import dev.conveyor.scheduler.isolation.ExecutionLimit;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;

/**
 * The actor around the {@link Scheduler}: turns messages into calls on it and performs what it
 * decides.
 *
 * <p>Thread-confined: one event loop, the only owner of the core. It never blocks and never touches
 * tensor memory.
 *
 * <p>A message changes the core only; decisions are taken once per turn of the event loop, after
 * every message that was already waiting, so that requests that were parsed together run together.
 *
 * <p>An instance's reply is the credit for its next batch. A refusal, or no handler at all, mean
 * the instance is lost, as does an execution that takes longer than its profile explains: it gets
 * no more batches, the supervisor is told, and its requests run again elsewhere, once, or fail.
 */
public final class SchedulerVerticle extends VerticleBase {

  /**
   * What the system calls the thread meanwhile; it shows 15 characters. Where the server has one
   * event loop, the front ends are on it, too.
   */
  public static final String THREAD_NAME = "loop-scheduler";

  /** Something that was asked for and is answered once a condition holds. */
  private record Pending(BooleanSupplier isDone, Message<?> message) {}

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  /**
   * A batch may take as long as its executions do, each of which is watched. A reply that never
   * comes is waited for so long only.
   */
  private static final DeliveryOptions RUN =
      new DeliveryOptions().setLocalOnly(true).setSendTimeout(TimeUnit.DAYS.toMillis(1));

  /** A client on the same machine comes back within this time, or rests. */
  private static final long AWAKE_FOR_BATCH_NS = 60_000;

  /** No other connection waits longer than this for the event loop. */
  private static final long AWAKE_FOR_ANSWER_NS = 30_000;

  private final Scheduler scheduler;
  private final NanoClock clock;
  private final Replies replies = new Replies();
  private final List<MessageConsumer<?>> consumers = new ArrayList<>();
  private final List<Pending> pending = new ArrayList<>();
  private final Set<String> toSweep = new LinkedHashSet<>();
  private final LostBatches lost;
  private final LoneRequests lone = new LoneRequests();
  private final WakeUp wakeUp = new WakeUp(this::dispatch);
  private final IntConsumer onBusyCores;
  private int busyCores;
  private int running;
  private boolean dispatchScheduled;
  private String threadNameBefore = "";

  /**
   * Creates the actor.
   *
   * @param limit how long an execution may take before it counts as hung
   * @param onBusyCores told, on the actor's event loop, how many cores batches keep busy whenever
   *     that has changed
   */
  public SchedulerVerticle(
      List<DeviceSpec> devices,
      Tenants tenants,
      NanoClock clock,
      ExecutionLimit limit,
      IntConsumer onBusyCores) {
    this.onBusyCores = onBusyCores;
    this.scheduler = new Scheduler(devices, tenants);
    this.clock = clock;
    this.lost =
        new LostBatches(
            scheduler,
            () -> vertx.eventBus(),
            LOCAL,
            limit,
            clock,
            replies,
            this::scheduleDispatch);
  }

  @Override
  public Future<?> start() {
    threadNameBefore = Thread.currentThread().getName();
    Thread.currentThread().setName(THREAD_NAME);
    EventBus bus = vertx.eventBus();
    consumers.add(bus.<InferenceRequest>localConsumer(Addresses.SUBMIT, this::onSubmit));
    consumers.add(bus.<String>localConsumer(Addresses.CANCELLED, this::onCancelled));
    consumers.add(bus.<SchedulerCommand>localConsumer(Addresses.CONTROL, this::onCommand));
    consumers.add(
        bus.localConsumer(
            Addresses.SNAPSHOT,
            message -> message.reply(scheduler.snapshot(clock.nanoTime()), LOCAL)));
    consumers.add(
        bus.<String>localConsumer(
            Addresses.PROFILE, message -> message.reply(scheduler.profile(message.body()), LOCAL)));
    consumers.add(
        bus.<DecisionQuery>localConsumer(
            Addresses.DECISIONS,
            message ->
                message.reply(
                    scheduler.decisions().find(message.body(), clock.nanoTime()), LOCAL)));
    return Future.all(consumers.stream().map(MessageConsumer::completion).toList());
  }

  @Override
  public Future<?> stop() {
    Thread.currentThread().setName(threadNameBefore);
    List<Future<Void>> unregistered = new ArrayList<>();
    for (MessageConsumer<?> consumer : consumers) {
      unregistered.add(consumer.unregister());
    }
    wakeUp.cancel();
    scheduler.shutDown();
    answerRejected();
    for (Pending unanswered : pending) {
      unanswered.message().fail(1, "the scheduler stopped");
    }
    pending.clear();
    return Future.all(unregistered);
  }

  private void onSubmit(Message<InferenceRequest> message) {
    InferenceRequest request = message.body();
    InferenceException refusal = scheduler.submit(request, clock.nanoTime());
    if (refusal == null) {
      scheduleDispatch();
    } else {
      request.replyTo().fail(refusal);
      request.close();
    }
  }

  private void onCancelled(Message<String> message) {
    toSweep.add(message.body());
    scheduleDispatch();
  }

  private void onCommand(Message<SchedulerCommand> message) {
    try {
      execute(message.body(), message);
    } catch (RuntimeException e) {
      message.fail(1, e.getMessage());
    }
    scheduleDispatch();
  }

  private void execute(SchedulerCommand command, Message<?> message) {
    if (command instanceof AddModel add) {
      scheduler.addModel(add.plan(), clock.nanoTime());
      scheduler.publishTo(add.plan().key(), add.load());
      lost.remember(add.plan().key(), add.suspects());
      message.reply(null);
    } else if (command instanceof RemoveModel remove) {
      scheduler.drainModel(remove.key(), remove.successor(), clock.nanoTime());
      pending.add(new Pending(() -> removeIfDrained(remove.key()), message));
    } else if (command instanceof SeedProfile seed) {
      scheduler.seedProfile(seed);
      message.reply(null);
    } else if (command instanceof InstanceReady ready) {
      scheduler.addInstance(ready.instance(), clock.nanoTime());
      message.reply(null);
    } else if (command instanceof GiveUp giveUp) {
      scheduler.giveUp(giveUp.key(), giveUp.reason(), giveUp.retryAtNs(), clock.nanoTime());
      message.reply(null);
    } else if (command instanceof Note note) {
      long nowNs = clock.nanoTime();
      scheduler
          .decisions()
          .notes(note.kind(), note.model(), note.version(), note.device(), note.reason(), nowNs);
    } else if (command instanceof AnswerAll) {
      answerAll();
      message.reply(null);
    } else if (command instanceof InstanceGone gone) {
      scheduler.removeInstance(gone.key(), gone.index(), clock.nanoTime());
      pending.add(new Pending(() -> !scheduler.hasInstance(gone.key(), gone.index()), message));
    }
  }

  private boolean removeIfDrained(String key) {
    boolean drained = scheduler.isDrained(key);
    if (drained) {
      scheduler.removeModel(key);
      lost.forget(key);
    }
    return drained;
  }

  private void scheduleDispatch() {
    if (!dispatchScheduled) {
      dispatchScheduled = true;
      context.runOnContext(v -> dispatch());
    }
  }

  private void dispatch() {
    dispatchScheduled = false;
    if (!toSweep.isEmpty()) {
      toSweep.forEach(scheduler::sweep);
      toSweep.clear();
    }
    long nowNs = clock.nanoTime();
    lost.lendAndCutOverdue(nowNs);
    Assignment assignment = scheduler.poll(nowNs);
    Assignment last = null;
    int batches = 0;
    while (assignment != null) {
      lost.began(nowNs);
      run(assignment);
      last = assignment;
      batches++;
      assignment = scheduler.poll(nowNs);
    }
    tellBusyCores();
    for (HedgeDecision decision : scheduler.takeHedgeDecisions()) {
      vertx.eventBus().publish(Addresses.HEDGES, decision, LOCAL);
    }
    claimRejected();
    replies.flushInPortions();
    answerPending();
    scheduler.publishLoads(nowNs);
    wakeUp.arm(vertx, nowNs, Math.min(scheduler.wakeUpInNs(nowNs), lost.untilLookNs(nowNs)));
    if (last != null) {
      awaitLoneRequest(batches, last.batch().requests());
    }
  }

  private void tellBusyCores() {
    int now = scheduler.busyCores();
    if (now != busyCores) {
      busyCores = now;
      onBusyCores.accept(now);
    }
  }

  /**
   * Where it pays, stays awake for the answer to the only request there is. Others that need this
   * core get it: it may be the one that the answer is waiting for.
   */
  @SuppressWarnings("ThreadPriorityCheck") // what depends on the scheduler is the time it takes
  private void awaitLoneRequest(int batches, List<InferenceRequest> requests) {
    lone.onDispatch(batches, requests.size(), running);
    if (!lone.isHabit()) {
      return;
    }
    ReplyTo replyTo = requests.get(0).replyTo();
    long start = System.nanoTime();
    while (!replyTo.isDone() && System.nanoTime() - start < AWAKE_FOR_ANSWER_NS) {
      Thread.yield();
    }
  }

  private void run(Assignment assignment) {
    InstanceRef instance = assignment.instance();
    running++;
    if (lone.isHabit()) {
      assignment.batch().linger().allow(AWAKE_FOR_BATCH_NS);
    }
    vertx
        .eventBus()
        .<BatchOutcome>request(
            Addresses.instance(instance.key(), instance.index()), assignment.batch(), RUN)
        .onComplete(
            reply -> {
              running--;
              lone.onOutcome(reply.body().computeNs());
              scheduler.onOutcome(assignment, reply.body(), clock.nanoTime());
              scheduleDispatch();
            },
            failure -> {
              running--;
              lost.onFailure(assignment, failure);
            });
    assignment.announce();
  }

  /** The grace period is over. What runs may end, but nobody waits for it any more. */
  private void answerAll() {
    scheduler.shutDown();
    answerRejected();
    for (Assignment running : scheduler.executions().running()) {
      for (InferenceRequest request : running.batch().requests()) {
        replies.fail(request.replyTo(), InferenceException.shuttingDown());
      }
    }
    replies.flush();
  }

  private void answerRejected() {
    claimRejected();
    replies.flush();
  }

  private void claimRejected() {
    scheduler.takeTurns().forEach(AnswerTurn::come);
    for (Rejection rejection : scheduler.takeRejected()) {
      replies.fail(rejection.request().replyTo(), rejection.failure());
      rejection.request().close();
    }
  }

  private void answerPending() {
    if (pending.isEmpty()) {
      return;
    }
    Iterator<Pending> all = pending.iterator();
    while (all.hasNext()) {
      Pending next = all.next();
      if (next.isDone().getAsBoolean()) {
        all.remove();
        next.message().reply(null);
      }
    }
  }
}
