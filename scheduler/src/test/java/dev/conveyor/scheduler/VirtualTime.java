package dev.conveyor.scheduler;

import dev.conveyor.scheduler.batching.Rejection;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.function.IntToLongFunction;

/**
 * Drives a {@link Scheduler} by events, without a clock: arrivals, ends of batches, wake-ups. A
 * batch takes exactly what its model's cost function says.
 */
final class VirtualTime {

  /** What became of the requests of one model. */
  static final class Outcomes {
    long arrived;
    long inTime;
    long late;
    long refused;
    long batches;
    long longestWaitNs;

    /** Device time by second. */
    final Map<Long, Long> busyNs = new HashMap<>();

    double failedFraction() {
      return arrived == 0 ? 0 : (double) (late + refused) / arrived;
    }
  }

  /** Something that happens; what was planned first happens first at the same time. */
  private record Event(long atNs, long order, Runnable what) {}

  private static final long SECOND = 1_000_000_000;

  private final Scheduler scheduler;
  private final Random random;
  private final long originNs;
  private final PriorityQueue<Event> events =
      new PriorityQueue<>(Comparator.comparingLong(Event::atNs).thenComparingLong(Event::order));
  private final Map<String, IntToLongFunction> costs = new HashMap<>();
  private final Map<String, Long> objectives = new HashMap<>();
  private final Map<String, Outcomes> outcomes = new LinkedHashMap<>();
  private final List<String> trace = new ArrayList<>();
  private boolean tracing;
  private long planned;
  private long nowNs;

  /** Starts at {@code originNs}; times inside are since then. */
  VirtualTime(List<DeviceSpec> devices, long originNs, long seed) {
    this.scheduler = new Scheduler(devices);
    this.originNs = originNs;
    this.random = new Random(seed);
  }

  Scheduler scheduler() {
    return scheduler;
  }

  /** Keeps a line for everything that is decided from now on. */
  VirtualTime traced() {
    tracing = true;
    return this;
  }

  /** Adds a model with an instance on each of some devices. */
  void add(ModelPlan plan, IntToLongFunction costNs, String... devices) {
    scheduler.addModel(plan, clock());
    for (int i = 0; i < devices.length; i++) {
      scheduler.addInstance(new InstanceRef(plan.key(), i, devices[i], 1), clock());
    }
    costs.put(plan.name(), costNs);
    long objectiveNs = plan.serviceLevel().latencyObjective().toNanos();
    objectives.put(plan.name(), objectiveNs == 0 ? Long.MAX_VALUE : objectiveNs);
    outcomes.put(plan.name(), new Outcomes());
  }

  /** Lets requests arrive as a Poisson process until {@code untilNs}. */
  void arrive(String model, double perSecond, long untilNs) {
    long gapNs = (long) (-StrictMath.log(1 - random.nextDouble()) * SECOND / perSecond);
    if (nowNs + gapNs < untilNs) {
      plan(
          nowNs + gapNs,
          () -> {
            submit(TestRequests.request().model(model).arrivalNs(clock()).build());
            arrive(model, perSecond, untilNs);
          });
    }
  }

  /** Does something at a time. */
  void plan(long atNs, Runnable what) {
    events.add(new Event(atNs, planned++, what));
  }

  void submit(InferenceRequest request) {
    Outcomes of = outcomes.get(request.model());
    of.arrived++;
    if (scheduler.submit(request, clock()) != null) {
      of.refused++;
    }
  }

  /** Runs until nothing is left to happen. */
  void run() {
    while (!events.isEmpty()) {
      Event next = events.remove();
      nowNs = next.atNs();
      next.what().run();
      while (!events.isEmpty() && events.peek().atNs() == nowNs) {
        events.remove().what().run();
      }
      decide();
    }
  }

  Outcomes of(String model) {
    return outcomes.get(model);
  }

  List<String> trace() {
    return trace;
  }

  /** Returns the time as the scheduler sees it. */
  long clock() {
    return originNs + nowNs;
  }

  private void decide() {
    Assignment next = scheduler.poll(clock());
    while (next != null) {
      takeRejected();
      start(next);
      next = scheduler.poll(clock());
    }
    takeRejected();
    long inNs = scheduler.wakeUpInNs(clock());
    if (inNs != Scheduler.NEVER && (events.isEmpty() || events.peek().atNs() - nowNs > inNs)) {
      plan(nowNs + Math.max(1, inNs), () -> {});
    }
  }

  private void start(Assignment assignment) {
    Batch batch = assignment.batch();
    String model = batch.requests().get(0).model();
    long costNs = costs.get(model).applyAsLong(batch.items());
    long startNs = nowNs;
    if (tracing) {
      trace.add(
          "%.3f ms %s runs %d on %s"
              .formatted(nowNs / 1e6, model, batch.items(), assignment.instance().device()));
    }
    Outcomes of = outcomes.get(model);
    of.batches++;
    of.busyNs.merge(startNs / SECOND, costNs, Long::sum);
    for (InferenceRequest request : batch.requests()) {
      of.longestWaitNs = Math.max(of.longestWaitNs, clock() - request.arrivalNs());
    }
    plan(nowNs + costNs, () -> end(assignment, costNs));
  }

  private void end(Assignment assignment, long costNs) {
    for (InferenceRequest request : assignment.batch().requests()) {
      Outcomes of = outcomes.get(request.model());
      if (clock() - request.arrivalNs() <= objectives.get(request.model())) {
        of.inTime++;
      } else {
        of.late++;
      }
    }
    BatchOutcome outcome =
        new BatchOutcome(true, assignment.batch().items(), 0, 0, costNs, 0, costNs);
    scheduler.onOutcome(assignment, outcome, clock());
  }

  private void takeRejected() {
    List<Rejection> rejected = scheduler.takeRejected();
    Map<String, Integer> counts = new LinkedHashMap<>();
    for (Rejection rejection : rejected) {
      outcomes.get(rejection.request().model()).refused++;
      counts.merge(
          rejection.request().model() + " drops " + rejection.failure().code(), 1, Integer::sum);
    }
    if (!tracing) {
      return;
    }
    counts.forEach((what, n) -> trace.add("%.3f ms %s x %d".formatted(nowNs / 1e6, what, n)));
  }
}
