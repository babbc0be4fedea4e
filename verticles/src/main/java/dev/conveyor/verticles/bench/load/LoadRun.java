package dev.conveyor.verticles.bench.load;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * Runs one point of a sweep: warm-up, window, and the wait for what is still in flight.
 *
 * <p>Thread-confined: everything happens on one event loop, which is the client's whole capacity;
 * its CPU time is reported so that a client at its limit can be told from a server at its limit.
 */
public final class LoadRun {

  /** How long answers may take after the window before their requests count as lost. */
  private static final Duration GRACE = Duration.ofSeconds(10);

  private final Vertx vertx;
  private final LoadPlan plan;
  private final List<LaneRun> lanes = new ArrayList<>();
  private final Promise<LoadPoint> done = Promise.promise();
  private OptionalDouble serverCpu = OptionalDouble.empty();
  private OptionalDouble clientCpu = OptionalDouble.empty();
  private long openNs;
  private long windowNs;
  private boolean stopped;
  private @Nullable Long graceTimer;

  private LoadRun(Vertx vertx, LoadPlan plan) {
    this.vertx = vertx;
    this.plan = plan;
  }

  /** Starts a run on an event loop of {@code vertx}. */
  public static Future<LoadPoint> start(Vertx vertx, List<Lane> lanes, LoadPlan plan) {
    LoadRun run = new LoadRun(vertx, plan);
    vertx.getOrCreateContext().runOnContext(v -> run.orFail(() -> run.begin(lanes)));
    return run.done.future();
  }

  /**
   * Nobody would hear of what is thrown on an event loop; who waits would, after its time limit.
   */
  private void orFail(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      done.tryFail(e);
      throw e;
    }
  }

  private void begin(List<Lane> models) {
    for (int i = 0; i < models.size(); i++) {
      lanes.add(
          LaneRun.start(vertx, models.get(i), plan.pattern(), plan.seed() + i, this::drained));
    }
    vertx.setTimer(Math.max(1, plan.warmup().toMillis()), t -> orFail(this::open));
  }

  private void open() {
    serverCpu = plan.serverCpu().seconds();
    clientCpu = plan.clientCpu().seconds();
    openNs = System.nanoTime();
    lanes.forEach(lane -> lane.recorder().open(openNs));
    vertx.setTimer(Math.max(1, plan.duration().toMillis()), t -> orFail(this::close));
  }

  private void close() {
    long nowNs = System.nanoTime();
    serverCpu = CpuClock.between(serverCpu, plan.serverCpu().seconds());
    clientCpu = CpuClock.between(clientCpu, plan.clientCpu().seconds());
    windowNs = nowNs - openNs;
    stopped = true;
    lanes.forEach(lane -> lane.stop(nowNs));
    graceTimer = vertx.setTimer(GRACE.toMillis(), t -> orFail(this::finish));
    drained();
  }

  private void drained() {
    if (stopped && lanes.stream().allMatch(lane -> lane.inFlight() == 0)) {
      orFail(this::finish);
    }
  }

  private void finish() {
    if (graceTimer != null) {
      vertx.cancelTimer(graceTimer);
    }
    List<LaneResult> results = new ArrayList<>();
    for (LaneRun lane : lanes) {
      lane.recorder().unanswered("no answer within " + GRACE.toSeconds() + " s", lane.inFlight());
      results.add(lane.result());
    }
    done.tryComplete(new LoadPoint(plan.pattern(), windowNs, results, serverCpu, clientCpu));
  }
}
