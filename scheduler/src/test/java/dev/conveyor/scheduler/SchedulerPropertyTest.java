package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.batching.Rejection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Random events against the core: what must hold whatever happens. */
final class SchedulerPropertyTest {

  private static final int CORES = 3;
  private static final int SLOTS = 2;
  private static final int MOST_BYTES = 3;
  private static final List<PriorityClass> CLASSES = List.of(PriorityClass.values());

  @Property(tries = 400)
  void shouldKeepItsPromisesUnderRandomEvents(@ForAll long seed) {
    play(new Run(new Random(seed), 1));
  }

  @Property(tries = 400)
  void shouldKeepThemWhereTenantsShareTheModels(@ForAll long seed) {
    play(new Run(new Random(seed), 4));
  }

  private static void play(Run run) {
    for (int step = 0; step < 150; step++) {
      run.step();
    }
    run.finish();
  }

  /** One random run, and the book that it keeps beside the scheduler. */
  private static final class Run {
    private final Random random;
    private final int tenants;
    private final Scheduler scheduler =
        new Scheduler(List.of(DeviceSpec.cpu("cpu", CORES), DeviceSpec.gpu("gpu", SLOTS)));
    private final List<ModelPlan> plans = new ArrayList<>();
    private final List<Assignment> running = new ArrayList<>();
    private final Set<InferenceRequest> waiting = new LinkedHashSet<>();
    private final Map<InferenceRequest, Integer> arrival = new HashMap<>();
    private final Map<String, Integer> lastOfKey = new HashMap<>();
    private int arrivals;
    private InferenceRequest lastOfBatch;
    private int nextIndex;
    private long nowNs = T0;

    Run(Random random, int tenants) {
      this.random = random;
      this.tenants = tenants;
      for (int i = 0; i < 3; i++) {
        ModelPlan plan = plan("m" + i);
        plans.add(plan);
        scheduler.addModel(plan, nowNs);
        addInstance(plan);
      }
    }

    void step() {
      switch (random.nextInt(10)) {
        case 0, 1, 2, 3, 4 -> submit(plans.get(random.nextInt(plans.size())));
        case 5 -> nowNs += random.nextInt((int) (3 * MS));
        case 6 -> cancelOne();
        case 7, 8 -> endOne();
        default -> changeInstances(plans.get(random.nextInt(plans.size())));
      }
      decide();
    }

    void finish() {
      for (ModelPlan plan : plans) {
        addInstance(plan);
      }
      nowNs += 20 * MS;
      decide();
      while (!running.isEmpty()) {
        Assignment done = running.remove(0);
        scheduler.onOutcome(done, new BatchOutcome(true, 1, 0, 0, MS, 0, MS), nowNs);
        nowNs += 20 * MS;
        decide();
      }
      assertThat(waiting).as("nothing is lost").isEmpty();
      for (SchedulerSnapshot.Device device : scheduler.snapshot(nowNs).devices()) {
        assertThat(device.used()).isZero();
      }
    }

    private void submit(ModelPlan plan) {
      InferenceRequest request =
          TestRequests.request()
              .model(plan.name())
              .items(1 + random.nextInt(Math.max(1, plan.maxBatchSize())))
              .priority(random.nextInt(4))
              .timeoutMicros(random.nextInt(4) == 0 ? 1 + random.nextInt(4000) : 0)
              .deadlineNs(
                  random.nextInt(4) == 0
                      ? nowNs + random.nextInt((int) (5 * MS))
                      : InferenceRequest.NO_DEADLINE)
              .arrivalNs(nowNs)
              .tenant(tenants == 1 ? "" : "t" + random.nextInt(tenants))
              .bytes(1 + random.nextInt(MOST_BYTES))
              .shapeKey(random.nextInt(5) == 0 ? "other" : null)
              .build();
      arrival.put(request, arrivals++);
      if (scheduler.submit(request, nowNs) == null) {
        waiting.add(request);
      }
    }

    private void cancelOne() {
      waiting.stream()
          .skip(waiting.isEmpty() ? 0 : random.nextInt(waiting.size()))
          .findFirst()
          .ifPresent(
              request -> {
                TestRequests.cancel(request);
                if (random.nextBoolean()) {
                  scheduler.sweep(request.model());
                }
              });
    }

    private void endOne() {
      if (running.isEmpty()) {
        return;
      }
      Assignment ended = running.remove(random.nextInt(running.size()));
      if (random.nextInt(8) == 0) {
        boolean unused = scheduler.onLost(ended, nowNs);
        if (random.nextBoolean()) {
          scheduler.giveUp(ended.instance().key(), "lost", nowNs, nowNs);
        }
      } else {
        long busyNs = random.nextInt((int) MS);
        scheduler.onOutcome(
            ended, new BatchOutcome(random.nextInt(5) > 0, 1, 0, 0, busyNs, 0, busyNs), nowNs);
      }
    }

    private void changeInstances(ModelPlan plan) {
      if (random.nextInt(3) > 0) {
        addInstance(plan);
      } else {
        scheduler.removeInstance(plan.key(), random.nextInt(nextIndex), nowNs);
      }
    }

    private void addInstance(ModelPlan plan) {
      int threads = 1 + random.nextInt(CORES + 1);
      scheduler.addInstance(
          new InstanceRef(
              plan.key(),
              nextIndex++,
              random.nextBoolean() ? "cpu" : "gpu",
              threads,
              threads + random.nextInt(3)),
          nowNs);
    }

    private void decide() {
      Assignment next = scheduler.poll(nowNs);
      while (next != null) {
        takeRejected();
        check(next);
        running.add(next);
        next = scheduler.poll(nowNs);
      }
      takeRejected();
      assertThat(scheduler.wakeUpInNs(nowNs)).isGreaterThanOrEqualTo(0);
      checkRoom();
      plans.forEach(this::checkBytes);
    }

    /** What waits stays within the bound of its bytes; a level may have as much besides. */
    private void checkBytes(ModelPlan plan) {
      long most = plan.admission().maxQueueBytes();
      int levels = plan.dynamicBatching().map(DynamicBatching::priorityLevels).orElse(0);
      long bytes =
          waiting.stream()
              .filter(request -> request.model().equals(plan.name()))
              .mapToLong(InferenceRequest::inputBytes)
              .sum();
      assertThat(most == 0 || bytes <= Math.max(1, levels) * Math.max(most, MOST_BYTES)).isTrue();
    }

    private void takeRejected() {
      for (Rejection rejection : scheduler.takeRejected()) {
        assertThat(waiting.remove(rejection.request())).as("rejected once").isTrue();
      }
    }

    private void check(Assignment assignment) {
      Batch batch = assignment.batch();
      ModelPlan plan = plan(assignment);
      assertThat(batch.requests()).isNotEmpty();
      assertThat(batch.items()).isBetween(1, Math.max(1, plan.maxBatchSize()));
      assertThat(batch.items())
          .isEqualTo(batch.requests().stream().mapToInt(InferenceRequest::batchSize).sum());
      if (plan.dynamicBatching().isEmpty()) {
        assertThat(batch.requests()).hasSize(1);
      }
      Object shapeKey = batch.requests().get(0).shapeKey();
      lastOfBatch = batch.requests().get(batch.requests().size() - 1);
      for (InferenceRequest request : batch.requests()) {
        assertThat(waiting.remove(request)).as("runs once").isTrue();
        assertThat(request.replyTo().isDone()).isFalse();
        assertThat(request.shapeKey()).isEqualTo(shapeKey);
        assertThat(request.model()).isEqualTo(plan.name());
        assertThat(
                request.deadlineNs() == InferenceRequest.NO_DEADLINE
                    || nowNs - request.deadlineNs() < 0)
            .isTrue();
        checkOrder(plan, request);
      }
    }

    /**
     * Requests leave in the order in which they came where nothing is to change it; or, with an
     * objective and one level, by deadline: nothing that waits could have gone before the last of a
     * batch.
     */
    private void checkOrder(ModelPlan plan, InferenceRequest request) {
      DynamicBatching batching = plan.dynamicBatching().orElse(DynamicBatching.DEFAULT);
      boolean delays = batching.defaultQueuePolicy().timeoutAction() == TimeoutAction.DELAY;
      boolean levels = batching.priorityLevels() > 0;
      boolean hasObjective = plan.serviceLevel().hasObjective();
      boolean byArrival = !levels && !delays && (tenants == 1 || batching.preserveOrdering());
      if (hasObjective ? batching.preserveOrdering() : byArrival) {
        Integer before = lastOfKey.put(plan.key(), arrival.get(request));
        assertThat(arrival.get(request)).isGreaterThan(Objects.requireNonNullElse(before, -1));
      } else if (hasObjective && !levels && !delays) {
        long deadlineNs = deadlineNs(plan, request);
        for (InferenceRequest other : waiting) {
          if (request == lastOfBatch && other.model().equals(plan.name())) {
            assertThat(deadlineNs(plan, other) - deadlineNs).isGreaterThanOrEqualTo(0);
          }
        }
      }
    }

    private static long deadlineNs(ModelPlan plan, InferenceRequest request) {
      long deadlineNs = request.arrivalNs() + plan.serviceLevel().latencyObjective().toNanos();
      if (request.timeoutMicros() > 0) {
        long ownNs = request.arrivalNs() + request.timeoutMicros() * 1000;
        deadlineNs = ownNs - deadlineNs < 0 ? ownNs : deadlineNs;
      }
      boolean none = request.deadlineNs() == InferenceRequest.NO_DEADLINE;
      return none || request.deadlineNs() - deadlineNs > 0 ? deadlineNs : request.deadlineNs();
    }

    private void checkRoom() {
      int threads = 0;
      int onCpu = 0;
      int onGpu = 0;
      for (Assignment assignment : running) {
        boolean cpu = assignment.instance().device().equals("cpu");
        onCpu += cpu ? 1 : 0;
        onGpu += cpu ? 0 : 1;
        threads += cpu ? assignment.instance().threads() : 0;
      }
      assertThat(threads <= CORES || onCpu == 1).as("%s threads", threads).isTrue();
      assertThat(onGpu).isLessThanOrEqualTo(SLOTS);
    }

    private ModelPlan plan(Assignment assignment) {
      return plans.stream()
          .filter(plan -> plan.key().equals(assignment.instance().key()))
          .findFirst()
          .orElseThrow();
    }

    private ModelPlan plan(String name) {
      int max = random.nextInt(9);
      QueuePolicy policy =
          new QueuePolicy(
              random.nextBoolean() ? TimeoutAction.REJECT : TimeoutAction.DELAY,
              Duration.ofNanos(random.nextInt((int) (6 * MS))),
              random.nextBoolean(),
              random.nextInt(12));
      int levels = random.nextInt(2) * 2;
      DynamicBatching batching =
          new DynamicBatching(
              random.nextBoolean() || max == 0 ? List.of() : List.of(1 + random.nextInt(max)),
              Duration.ofNanos(random.nextBoolean() ? 0 : random.nextInt((int) (4 * MS))),
              random.nextInt(3) == 0,
              levels,
              levels == 0 ? 0 : 1 + random.nextInt(levels),
              policy,
              Map.of());
      return new ModelPlan(
          name,
          "1",
          max,
          random.nextInt(4) == 0 ? Optional.empty() : Optional.of(batching),
          1 + random.nextInt(4),
          50,
          new Admission(
              random.nextBoolean() ? 0 : 1 + random.nextInt(12),
              Duration.ofNanos(random.nextBoolean() ? 0 : 1 + random.nextInt((int) MS)),
              Duration.ofMillis(1),
              null),
          new ServiceLevel(
              Duration.ofNanos(random.nextBoolean() ? 0 : 1 + random.nextInt((int) (8 * MS))),
              random.nextBoolean() ? 99 : 50,
              CLASSES.get(random.nextInt(CLASSES.size())),
              Duration.ofNanos(random.nextInt((int) (4 * MS)))));
    }
  }
}
