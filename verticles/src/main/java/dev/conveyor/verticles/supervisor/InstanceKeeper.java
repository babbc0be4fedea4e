package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.InstanceLost;
import dev.conveyor.scheduler.InstanceRef;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.scheduler.isolation.CircuitBreaker;
import dev.conveyor.verticles.InstanceBoard.State;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.instance.InstanceVerticle;
import dev.conveyor.verticles.instance.Warmups;
import dev.conveyor.verticles.isolation.Decision;
import dev.conveyor.verticles.isolation.IsolationLog;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Keeps every version at its number of instances: brings them up, and replaces those that were
 * lost.
 *
 * <p>Thread-confined to the supervisor's context. A lost instance is stopped and another one takes
 * its place, at once the first time, then after longer and longer waits; it has proved itself when
 * a synthetic batch runs. While no instance is left and none comes at once, the model's requests
 * are refused with the reason. An execution that hangs is asked to end; its thread, its slabs and
 * the inputs it reads stay until it does, and a slot with {@value #MOST_HUNG} such threads gets no
 * further one.
 */
final class InstanceKeeper {

  private static final int MOST_HUNG = 4;

  /** Requests wait so long for a replacement to start; if that begins later they do not wait. */
  private static final long PATIENCE_MS = 2_000;

  private static final long LOOK_AGAIN_MS = 1000;

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final Context context;
  private final IsolationLog log;
  private final CostSeeds costs;
  private final long startLimitMs;
  private final Map<String, Crew> crews = new HashMap<>();
  private final Departures departures;
  private final MessageConsumer<InstanceLost> losses;
  private final SchedulerNews news;

  /**
   * Creates the keeper.
   *
   * @param startLimitMs longest that an instance may take to come up
   */
  InstanceKeeper(
      Vertx vertx, Context context, IsolationLog log, CostSeeds costs, long startLimitMs) {
    this.vertx = vertx;
    this.context = context;
    this.log = log;
    this.costs = costs;
    this.startLimitMs = startLimitMs;
    this.departures = new Departures(vertx);
    this.losses = vertx.eventBus().localConsumer(Addresses.LOST, this::onLost);
    this.news = new SchedulerNews(vertx, log, crews::get);
  }

  /** Hears of nothing any more. */
  void close() {
    Future<Void> unused = losses.unregister();
    news.close();
  }

  /** Brings up every instance of a version. */
  Future<Void> start(Crew crew) {
    crews.put(crew.version.served().key(), crew);
    Future<Void> chain = Future.succeededFuture();
    for (String device : crew.version.plan().devices()) {
      Crew.Slot slot = crew.takeSlot(device);
      chain = chain.compose(v -> startInstance(crew, slot, CircuitBreaker.closed()));
    }
    return chain.onSuccess(v -> crew.started());
  }

  /**
   * Brings up more instances on a device, all or none; the weights there are shared unless they
   * have processes of their own.
   */
  Future<Void> grow(Crew crew, String device, int instances) {
    List<Crew.Slot> slots = new ArrayList<>();
    Future<Void> chain = Future.succeededFuture();
    for (int i = 0; i < instances; i++) {
      Crew.Slot slot = crew.takeSlot(device);
      slots.add(slot);
      chain = chain.compose(v -> startIfFewHang(crew, slot));
    }
    return chain.recover(
        failure -> takeDown(crew, slots).transform(done -> Future.failedFuture(failure)));
  }

  private Future<Void> startIfFewHang(Crew crew, Crew.Slot slot) {
    return slot.hung() < MOST_HUNG
        ? startInstance(crew, slot, CircuitBreaker.closed())
        : Future.failedFuture(
            new ModelLoadException(
                "%d threads that were to start that instance do not come back"
                    .formatted(MOST_HUNG)));
  }

  /**
   * Takes instances on a device down, after the batches that they run: those that came last. Nobody
   * waits for one that hangs.
   */
  Future<Void> shrink(Crew crew, String device, int instances) {
    return takeDown(
        crew, crew.membersOn(device).stream().limit(instances).map(Crew.Member::slot).toList());
  }

  /** Gives slots up, and takes down what works in them. */
  private Future<Void> takeDown(Crew crew, List<Crew.Slot> slots) {
    slots.forEach(crew::giveBackSlot);
    List<Future<Void>> leaving = new ArrayList<>();
    for (Crew.Member member : crew.members()) {
      if (slots.contains(member.slot())) {
        leaving.add(departures.begin(crew, member));
      }
    }
    return leaving.isEmpty() ? Future.succeededFuture() : Future.join(leaving).mapEmpty();
  }

  /** Stops every instance that works. Those that hang are in {@link Crew#allLeft}. */
  Future<Void> stop(Crew crew) {
    crew.disband();
    return departures.beginAll(crew).onComplete(gone -> crews.remove(crew.version.served().key()));
  }

  private Future<Void> startInstance(Crew crew, Crew.Slot slot, CircuitBreaker breaker) {
    LoadedVersion version = crew.version;
    ServedModel served = version.served();
    int index = crew.nextIndex();
    CostSeeds.Warm warm = costs.begin(crew, slot.device);
    boolean serving = crew.isServed();
    InstanceVerticle instance =
        new InstanceVerticle(
            served,
            index,
            () -> costs.warmExecutor(crew, slot.device, warm, serving),
            executor -> Warmups.probe(served, executor, version.warmupData()),
            crew.isolation,
            breaker);
    Future<String> deployed =
        vertx.deployVerticle(instance, InstanceVerticle.deploymentOptions(served.key(), index));
    return inTime(crew, slot, warm, deployed)
        .compose(id -> join(crew, new Crew.Member(index, slot, id, instance), warm))
        .onFailure(failure -> costs.failed(crew, slot.device, warm));
  }

  /** Has an instance that came up take batches. What it runs in may be gone again already. */
  private Future<Void> join(Crew crew, Crew.Member member, CostSeeds.Warm warm) {
    if (member.instance().isLost()) {
      return vertx
          .undeploy(member.deploymentId())
          .transform(
              done -> Future.failedFuture(new ModelLoadException("it was lost as it came up")));
    }
    crew.add(member);
    String key = crew.version.served().key();
    String device = member.slot().device;
    InstancePlan plan = crew.version.plan();
    InstanceRef ref =
        new InstanceRef(key, member.index(), device, plan.threads(), plan.idleThreads());
    return costs
        .seed(crew, device, warm)
        .compose(
            v ->
                member.instance().isLost()
                    ? Future.succeededFuture() // and replaced, like any other
                    : control(new SchedulerCommand.InstanceReady(ref)))
        .compose(
            v -> {
              if (member.instance().isLost()) {
                // The scheduler may have been told before it knew of it.
                return control(new SchedulerCommand.InstanceGone(key, member.index()))
                    .onSuccess(gone -> giveUpIfLate(crew));
              }
              crew.ready(member);
              return Future.succeededFuture();
            });
  }

  /**
   * Returns the deployment of an instance that came up in time and is wanted still. One that did
   * not is asked to end; its thread counts as one that hangs until it does.
   */
  private Future<String> inTime(
      Crew crew, Crew.Slot slot, CostSeeds.Warm warm, Future<String> deployed) {
    Promise<String> inTime = Promise.promise();
    boolean[] late = {false};
    long timer =
        vertx.setTimer(
            startLimitMs,
            id -> {
              late[0] = true;
              crew.hangs(slot);
              warm.cancel();
              inTime.fail(
                  new LoadTimeoutException(
                      "an instance did not start within %d ms (limits.load_timeout_ms)"
                          .formatted(startLimitMs)));
            });
    crew.busy(
        slot.device,
        deployed.transform(
            done -> {
              vertx.cancelTimer(timer);
              if (late[0]) {
                crew.cameBack(slot);
              }
              boolean wanted = done.succeeded() && !late[0] && crew.wants(slot);
              if (wanted) {
                inTime.complete(done.result());
                return Future.succeededFuture();
              }
              inTime.tryFail(
                  done.failed()
                      ? done.cause()
                      : new ModelLoadException("it is not wanted any more"));
              return done.succeeded() ? vertx.undeploy(done.result()) : Future.succeededFuture();
            }));
    return inTime.future();
  }

  private void onLost(Message<InstanceLost> message) {
    context.runOnContext(
        v -> {
          InstanceLost lost = message.body();
          Crew crew = crews.get(lost.key());
          Crew.Member member = crew == null ? null : crew.lose(lost.index());
          if (crew != null && member != null) {
            retire(crew, member, lost);
          } else if (crew != null && lost.cause() == InstanceLost.Cause.HUNG) {
            departures
                .hangs(crew, lost.index(), lost.detail())
                .ifPresent(going -> decided(crew, Decision.EXECUTION_CUT, "hung", detail(lost)));
          }
          message.reply(null);
        });
  }

  private void retire(Crew crew, Crew.Member member, InstanceLost lost) {
    boolean hung = lost.cause() == InstanceLost.Cause.HUNG;
    String lossCause = hung ? "" : member.instance().lossCause();
    String reason = lossCause.isEmpty() ? lost.cause().name().toLowerCase(Locale.ROOT) : lossCause;
    String detail = detail(lost);
    if (hung) {
      decided(crew, Decision.EXECUTION_CUT, reason, detail);
    }
    decided(crew, Decision.INSTANCE_QUARANTINED, reason, detail);
    crew.note(member, State.QUARANTINED, lost.detail());
    departures.beginLost(crew, member);
    if (hung) {
      var unused = departures.hangs(crew, lost.index(), lost.detail());
    }
    int before = crew.arrivals();
    long waitMs = replaceLater(crew, member, lost.detail(), reason);
    if (!crew.hasMembers()) {
      vertx.setTimer(
          waitMs + PATIENCE_MS,
          id -> {
            if (crew.arrivals() == before) {
              giveUpIfEmpty(crew);
            }
          });
    }
  }

  private static String detail(InstanceLost lost) {
    return "instance %d: %s".formatted(lost.index(), lost.detail());
  }

  /**
   * Has another instance take the place of one.
   *
   * @param detail why that is necessary, for a person
   * @param reason why the first was lost, in one word
   * @return milliseconds until it begins to come up
   */
  private long replaceLater(Crew crew, Crew.Member lost, String detail, String reason) {
    crew.lossReason(detail);
    long nowNs = System.nanoTime();
    long waitNs = lost.slot().backoff.onFailure(nowNs, ThreadLocalRandom.current().nextDouble());
    lost.slot().replaceAt(nowNs + waitNs);
    if (waitNs > PATIENCE_MS * 1_000_000 || lost.slot().hung() >= MOST_HUNG) {
      giveUpIfEmpty(crew);
    }
    if (waitNs == 0) {
      replace(crew, lost, reason);
    } else {
      vertx.setTimer(Math.max(1, waitNs / 1_000_000), id -> replace(crew, lost, reason));
    }
    return waitNs / 1_000_000;
  }

  private void replace(Crew crew, Crew.Member lost, String cause) {
    if (!crew.wants(lost.slot())) {
      return;
    }
    if (lost.slot().hung() >= MOST_HUNG) {
      vertx.setTimer(LOOK_AGAIN_MS, id -> replace(crew, lost, cause));
      return;
    }
    startInstance(crew, lost.slot(), CircuitBreaker.halfOpen())
        .onSuccess(
            v -> {
              decided(
                  crew,
                  Decision.INSTANCE_REPLACED,
                  cause,
                  "instance %d is replaced".formatted(lost.index()));
            })
        .onFailure(
            failure -> {
              if (!crew.wants(lost.slot())) {
                return;
              }
              String reason = String.valueOf(failure.getMessage());
              decided(crew, Decision.INSTANCE_QUARANTINED, "replacement_failed", reason);
              crew.board().explain(lost.index(), reason);
              long unused = replaceLater(crew, lost, reason, cause);
            });
  }

  private void giveUpIfLate(Crew crew) {
    long nowNs = System.nanoTime();
    if (crew.firstReplacementNs(nowNs) - nowNs > PATIENCE_MS * 1_000_000) {
      giveUpIfEmpty(crew);
    }
  }

  private void giveUpIfEmpty(Crew crew) {
    String reason = crew.lossReason();
    if (!crew.hasMembers() && !crew.isDisbanded()) {
      if (crew.giveUp(reason)) {
        decided(crew, Decision.MODEL_UNAVAILABLE, "no_instance", reason);
      }
      long retryAtNs = crew.firstReplacementNs(System.nanoTime());
      control(new SchedulerCommand.GiveUp(crew.version.served().key(), reason, retryAtNs));
    }
  }

  private void decided(Crew crew, Decision decision, String reason, String detail) {
    ServedModel served = crew.version.served();
    log.decided(served.name(), served.version(), decision, reason, detail);
  }

  private Future<Void> control(SchedulerCommand command) {
    return vertx.eventBus().request(Addresses.CONTROL, command, LOCAL).mapEmpty();
  }
}
