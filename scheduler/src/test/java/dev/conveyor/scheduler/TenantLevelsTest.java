package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** Tenants of one model with priority levels, under virtual time; a request takes 10 ms. */
final class TenantLevelsTest {

  private static final int HIGH = 1;
  private static final int LOW = 2;
  private static final long RUN_NS = 10 * MS;
  private static final Duration AGEING = Duration.ofSeconds(10);

  private long nowNs = T0;
  private Scheduler scheduler = scheduler(LOW, 1000);

  @Test
  void shouldNotHoldWhatATenantHasQueuedAtALowLevelAgainstItAtAHighOne() {
    submit("busy", LOW, 50);
    submit("other", HIGH, 50);
    submit("busy", HIGH, 1);

    assertThat(run(2)).containsExactly("other", "busy");
  }

  @Test
  void shouldNotHoldWhatRanAtAHighLevelAgainstATenantAtALowOne() {
    submit("busy", HIGH, 20);
    run(20);
    submit("busy", LOW, 10);
    submit("other", LOW, 10);

    assertThat(run(6)).containsOnly("busy", "other").filteredOn("busy"::equals).hasSize(3);
  }

  @Test
  void shouldShareALevelEquallyWhateverRanAboveItMeanwhile() {
    submit("first", LOW, 30);
    submit("high", HIGH, 1);
    run(5);
    for (int i = 0; i < 10; i++) {
      submit("high", HIGH, 2);
      run(2);
    }
    submit("second", LOW, 30);

    assertThat(run(10)).filteredOn("second"::equals).as("of ten").hasSizeBetween(4, 6);
  }

  @Test
  void shouldGiveWhatHasAgedItsTenantsPlaceAtTheHigherLevel() {
    submit("patient", LOW, 3);
    submit("busy", HIGH, 1);
    nowNs += AGEING.toNanos();
    submit("busy", HIGH, 20);

    assertThat(run(4)).as("the oldest, then both by turns").filteredOn("busy"::equals).hasSize(2);
    assertThat(run(2)).containsExactlyInAnyOrder("busy", "patient");
    assertThat(run(2)).containsOnly("busy");
  }

  @Test
  void shouldMakeRoomAtALevelByTheSharesThere() {
    scheduler = scheduler(LOW, 10);
    submit("busy", HIGH, 10);
    submit("busy", LOW, 5);
    submit("other", LOW, 5);
    assertThat(scheduler.takeRejected()).isEmpty();

    submit("third", LOW, 1);
    assertThat(scheduler.takeRejected())
        .singleElement()
        .matches(gone -> gone.request().priority() == LOW);
    submit("third", HIGH, 1);
    assertThat(scheduler.takeRejected())
        .singleElement()
        .matches(gone -> gone.request().tenant().equals("busy"))
        .matches(gone -> gone.request().priority() == HIGH);
  }

  @Test
  void shouldKeepTheFairOrderWhenTheModelLosesItsLevels() {
    submit("busy", HIGH, 20);
    run(10);
    submit("busy", LOW, 10);
    submit("other", LOW, 10);
    addModel(0, 1000);

    List<String> ran = run(30);
    assertThat(ran.subList(0, 10)).filteredOn("other"::equals).hasSizeBetween(4, 6);
    assertThat(ran.subList(21, 30)).containsOnly("busy");
  }

  /**
   * Whoever waits at a level all the time gets as much of what runs there as any other, to one
   * request, and nothing of a level runs while something waits above it.
   */
  @Property(tries = 200)
  void shouldShareEveryLevelAmongThoseWhoWaitThere(
      @ForAll long seed, @ForAll @IntRange(min = 1, max = 3) int levels) {
    Random random = new Random(seed);
    nowNs = T0;
    scheduler = scheduler(levels == 1 ? 0 : levels, 10_000);
    Map<String, Integer> waiting = new HashMap<>();
    Map<String, Integer> served = new HashMap<>();
    for (int step = 0; step < 300; step++) {
      int level = 1 + random.nextInt(levels);
      String tenant = "t" + random.nextInt(3);
      int count = random.nextInt(4);
      if (count > 0 && waiting.merge(tenant + level, count, Integer::sum) == count) {
        served.keySet().removeIf(key -> key.endsWith("" + level)); // the round begins anew
      }
      submit(tenant, level, count);
      Assignment next = scheduler.poll(nowNs);
      if (next == null) {
        continue;
      }
      InferenceRequest ran = next.batch().requests().get(0);
      int at = Math.max(1, ran.priority());
      assertThat(waiting.entrySet()).noneMatch(e -> e.getValue() > 0 && level(e.getKey()) < at);
      served.merge(ran.tenant() + at, 1, Integer::sum);
      waiting.merge(ran.tenant() + at, -1, Integer::sum);
      for (int i = 0; i < 3; i++) {
        String other = "t" + i + at;
        if (waiting.getOrDefault(other, 0) > 0) {
          assertThat(served.getOrDefault(ran.tenant() + at, 0))
              .as("%s and %s", ran.tenant() + at, other)
              .isLessThanOrEqualTo(served.getOrDefault(other, 0) + 2);
        }
      }
      finish(next);
    }
  }

  private static int level(String key) {
    return key.charAt(key.length() - 1) - '0';
  }

  private void submit(String tenant, int level, int count) {
    for (int i = 0; i < count; i++) {
      InferenceRequest one = request().tenant(tenant).priority(level).arrivalNs(nowNs).build();
      assertThat(scheduler.submit(one, nowNs)).isNull();
    }
  }

  /** Returns whose requests ran. */
  private List<String> run(int requests) {
    List<String> ran = new ArrayList<>();
    for (int i = 0; i < requests; i++) {
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      ran.add(next.batch().requests().get(0).tenant());
      finish(next);
    }
    return ran;
  }

  private void finish(Assignment assignment) {
    nowNs += RUN_NS;
    scheduler.onOutcome(assignment, new BatchOutcome(true, 1, 0, 0, RUN_NS, 0, RUN_NS), nowNs);
  }

  private Scheduler scheduler(int levels, int room) {
    scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)), Tenants.DEFAULT);
    addModel(levels, room);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), nowNs);
    CostSample known = new CostSample(1, RUN_NS);
    scheduler.seedProfile(
        new SchedulerCommand.SeedProfile(
            "m/1", "cpu", ModelProfile.Seed.WARM_UP, List.of(known, known)));
    return scheduler;
  }

  private void addModel(int levels, int room) {
    DynamicBatching batching =
        new DynamicBatching(
            List.of(), Duration.ZERO, false, levels, levels, QueuePolicy.DEFAULT, Map.of());
    ServiceLevel noObjective =
        new ServiceLevel(Duration.ZERO, 99, ServiceLevel.PriorityClass.STANDARD, AGEING);
    scheduler.addModel(
        new ModelPlan("m", "1", 1, Optional.of(batching), 1, room, Admission.DEFAULT, noObjective),
        nowNs);
  }
}
