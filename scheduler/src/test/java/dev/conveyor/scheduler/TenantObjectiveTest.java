package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Who loses when a model with an objective of 40 ms is overloaded. One device; a batch takes 2 ms
 * per item, at most 8 items.
 */
final class TenantObjectiveTest {

  private static final long ITEM_NS = 2 * MS;
  private static final long END_NS = 4_000 * MS;

  private final Random random = new Random(7);
  private final Map<String, Integer> sent = new HashMap<>();
  private final Map<String, Integer> answered = new HashMap<>();
  private Scheduler scheduler;
  private @Nullable Assignment running;
  private long endNs;

  @BeforeEach
  void addModel() {
    scheduler = new Scheduler(List.of(DeviceSpec.gpu("gpu", 1)));
    DynamicBatching levels =
        new DynamicBatching(List.of(), Duration.ZERO, false, 2, 2, QueuePolicy.DEFAULT, Map.of());
    scheduler.addModel(
        new ModelPlan(
            "m",
            "1",
            8,
            Optional.of(levels),
            1,
            0,
            new ServiceLevel(
                Duration.ofMillis(40), 99, PriorityClass.STANDARD, Duration.ofSeconds(10))),
        T0);
    for (int size = 1; size <= 8; size *= 2) {
      scheduler.seedProfile(
          new SchedulerCommand.SeedProfile(
              "m/1",
              "gpu",
              ModelProfile.Seed.WARM_UP,
              Collections.nCopies(3, new CostSample(size, size * ITEM_NS))));
    }
    scheduler.addInstance(new InstanceRef("m/1", 0, "gpu", 1), T0);
  }

  @Test
  void shouldLetTheTenantLoseThatFloods() {
    run(Map.of("flood", 1500.0, "modest", 100.0), Map.of());

    assertThat(part("modest")).as("of 100/s, where 250/s are its share").isGreaterThan(0.98);
    assertThat(answered.get("flood") + answered.get("modest"))
        .as("the device is kept busy, of 2,000 items that it can do")
        .isGreaterThan(1850);
  }

  @Test
  void shouldTurnNobodyAwayForHisShareWhoIsAlone() {
    run(Map.of("flood", 1500.0), Map.of());

    assertThat(answered.get("flood")).isGreaterThan(1850);
  }

  @Test
  void shouldNotRefuseARequestForWhatIsOfLowerPriority() {
    run(Map.of("level 2", 1500.0, "level 1", 100.0), Map.of("level 1", 1, "level 2", 2));

    assertThat(part("level 1")).isGreaterThan(0.98);
  }

  @Test
  void shouldSayByHowMuchATenantIsAhead() {
    boolean unused = submit("modest", 0, T0) == null;
    InferenceException refusal = null;
    for (int i = 0; refusal == null; i++) {
      assertThat(i).as("refused at some time").isLessThan(1000);
      refusal = submit("flood", 0, T0);
    }

    assertThat(refusal.reason()).isEqualTo(RefusalReason.OVERLOADED);
    assertThat(refusal).hasMessageContaining("tenant 'flood' is").hasMessageContaining("share");
  }

  private double part(String who) {
    return (double) answered.get(who) / sent.get(who);
  }

  /** Poisson arrivals per second, by who sends them, each of its priority or the default. */
  private void run(Map<String, Double> rates, Map<String, Integer> priorities) {
    Map<String, Long> next = new HashMap<>();
    rates.keySet().forEach(who -> next.put(who, gapNs(rates.get(who))));
    long nowNs = 0;
    while (nowNs < END_NS) {
      String who = Collections.min(next.keySet(), java.util.Comparator.comparing(next::get));
      long wakeNs = scheduler.wakeUpInNs(T0 + nowNs);
      long wakeAtNs = wakeNs == Scheduler.NEVER ? Long.MAX_VALUE : nowNs + Math.max(1000, wakeNs);
      long busyUntilNs = running == null ? Long.MAX_VALUE : endNs;
      nowNs = Math.min(wakeAtNs, Math.min(busyUntilNs, next.get(who)));
      if (nowNs == busyUntilNs) {
        end(nowNs);
      } else if (nowNs == next.get(who)) {
        sent.merge(who, 1, Integer::sum);
        boolean unused = submit(who, priorities.getOrDefault(who, 0), T0 + nowNs) == null;
        next.put(who, nowNs + gapNs(rates.get(who)));
      }
      decide(nowNs);
    }
  }

  private @Nullable InferenceException submit(String who, int priority, long atNs) {
    String tenant = priority == 0 ? who : "";
    return scheduler.submit(
        request().model("m").tenant(tenant).priority(priority).arrivalNs(atNs).build(), atNs);
  }

  private long gapNs(double perSecond) {
    return (long) (-StrictMath.log(1 - random.nextDouble()) * 1e9 / perSecond);
  }

  private void decide(long nowNs) {
    Assignment next = scheduler.poll(T0 + nowNs);
    if (next != null) {
      running = next;
      endNs = nowNs + next.batch().items() * ITEM_NS;
    }
    List<Rejection> unused = scheduler.takeRejected();
  }

  private void end(long nowNs) {
    Assignment done = running;
    running = null;
    if (done != null) {
      long busyNs = done.batch().items() * ITEM_NS;
      for (InferenceRequest request : done.batch().requests()) {
        if (T0 + nowNs - request.arrivalNs() <= 40 * MS) {
          int level = request.priority();
          answered.merge(level == 0 ? request.tenant() : "level " + level, 1, Integer::sum);
        }
      }
      scheduler.onOutcome(
          done, new BatchOutcome(true, done.batch().items(), 0, 0, busyNs, 0, busyNs), T0 + nowNs);
    }
  }
}
