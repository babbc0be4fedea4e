package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Two cores, instances of one thread each that may have both while nobody else wants one. */
final class WideRunsTest extends SchedulerCase {

  private static final long USUAL_NS = 10 * MS;
  private static final long WIDE_NS = 6 * MS;

  private long nowNs = T0;

  WideRunsTest() {
    super(DeviceSpec.cpu("CPU", 2));
  }

  @BeforeEach
  void addModels() {
    for (String name : List.of("m", "other")) {
      add(name, 1, null, 1);
      for (int i = 0; i < 2; i++) {
        scheduler.addInstance(new InstanceRef(name + "/1", i, "CPU", 1, 2), T0);
      }
    }
  }

  @Test
  void shouldHaveBothCoresWhileNobodyElseWantsOne() {
    know("m", USUAL_NS);
    Assignment first = next("m");
    assertThat(first.batch().wide()).isTrue();
    assertThat(used("CPU")).isEqualTo(2);
    assertThat(scheduler.busyCores()).isEqualTo(2);

    submit("m");
    submit("m");
    assertThat(pollAll(nowNs)).as("until it ends").isEmpty();
    end(first, WIDE_NS);
    assertThat(used("CPU")).isZero();
    List<Assignment> both = pollAll(nowNs);
    assertThat(both).as("two that wait share").hasSize(2);
    assertThat(both).noneMatch(next -> next.batch().wide());
    both.forEach(next -> end(next, USUAL_NS));
    assertThat(used("CPU")).isZero();
  }

  @Test
  void shouldLeaveACoreToAModelThatWantsOne() {
    know("m", USUAL_NS);
    know("other", USUAL_NS);
    submit("m");
    submit("other");
    assertThat(pollAll(nowNs)).hasSize(2).noneMatch(next -> next.batch().wide());
  }

  @Test
  void shouldLeaveItToAModelThatRuns() {
    know("other", USUAL_NS);
    know("m", USUAL_NS);
    submit("m");
    submit("m");
    final List<Assignment> running = pollAll(nowNs);
    end(running.get(0), USUAL_NS);
    assertThat(next("other").batch().wide()).isFalse();
  }

  @Test
  void shouldFindOutFirstWhatTheUsualTakes() {
    Assignment first = next("m");
    assertThat(first.batch().wide()).isFalse();
    end(first, USUAL_NS);
    assertThat(next("m").batch().wide()).isTrue();
  }

  @Test
  void shouldSayWhatBothCostAndNotMixThem() {
    know("m", USUAL_NS);
    for (int i = 0; i < 20; i++) {
      Assignment wide = next("m");
      assertThat(wide.batch().wide()).isTrue();
      end(wide, WIDE_NS);
    }

    ModelProfile.OnDevice profile = scheduler.profile("m/1").devices().get(0);
    assertThat(profile.costs().sizes()).singleElement().matches(s -> s.medianNs() == USUAL_NS);
    ModelProfile.Wide wide = profile.wide().orElseThrow();
    assertThat(wide.threads()).isEqualTo(2);
    assertThat(wide.batches()).isEqualTo(20);
    assertThat(wide.sizes()).singleElement().matches(s -> s.medianNs() == WIDE_NS);
    assertThat(profile.occupancy().stretch()).as("nothing ran beside").allMatch(s -> s <= 1);
  }

  @Test
  void shouldKnowAfterALoadWhatWasLearnedBefore() {
    know("m", USUAL_NS);
    for (int i = 0; i < 3; i++) {
      end(next("m"), USUAL_NS);
    }
    assertThat(learned("m")).as("too little to judge by").noneMatch(CostSample::wide);
    end(next("m"), USUAL_NS);
    List<CostSample> samples = learned("m");
    assertThat(samples).anyMatch(CostSample::wide).anyMatch(sample -> !sample.wide());
    assertThat(next("m").batch().wide()).as("does not pay").isFalse();

    seed("other", samples);
    assertThat(learned("other")).isEqualTo(samples);
  }

  @Test
  void shouldNotTryAnewWhatDidNotPayBeforeTheLoad() {
    CostSample usual = new CostSample(1, USUAL_NS);
    seed("m", List.of(usual, usual, usual.widened(), usual.widened()));
    assertThat(next("m").batch().wide()).isFalse();
  }

  @Test
  void shouldLeaveItWhereItDoesNotPayAndTryAgainNowAndThen() {
    know("m", USUAL_NS);
    int wide = 0;
    for (int i = 0; i < 500; i++) {
      Assignment next = next("m");
      wide += next.batch().wide() ? 1 : 0;
      end(next, USUAL_NS);
    }
    assertThat(wide).as("4 to learn, then one of 64").isBetween(4 + 500 / 64 - 1, 4 + 500 / 64 + 1);
  }

  @Test
  void shouldCompareWithWhatTheUsualTakesAlone() {
    know("m", USUAL_NS);
    for (int i = 0; i < 4; i++) {
      end(next("m"), USUAL_NS);
    }
    for (int i = 0; i < 70; i++) {
      submit("m");
      submit("m");
      List<Assignment> both = pollAll(nowNs);
      assertThat(both).hasSize(2).noneMatch(next -> next.batch().wide());
      nowNs += 2 * USUAL_NS;
      both.forEach(next -> end(next, 2 * USUAL_NS, 0));
    }
    assertThat(next("m").batch().wide()).as("no faster than one core alone").isFalse();
  }

  @Test
  void shouldNotHoldUpAModelThatHasPromisedToBeFaster() {
    know("m", USUAL_NS);
    Assignment first = next("m");
    assertThat(first.batch().wide()).isTrue();
    end(first, WIDE_NS);
    addWithObjective("quick", 5);
    assertThat(next("m").batch().wide()).isFalse();
  }

  private void addWithObjective(String name, int millis) {
    scheduler.addModel(
        new ModelPlan(
            name,
            "1",
            1,
            Optional.empty(),
            1,
            100,
            new ServiceLevel(
                Duration.ofMillis(millis), 99, ServiceLevel.PriorityClass.STANDARD, Duration.ZERO)),
        nowNs);
    scheduler.addInstance(new InstanceRef(name + "/1", 0, "CPU", 1), nowNs);
  }

  @Test
  void shouldTakeOneCoreOfABatchThatWasLentRoom() {
    know("m", USUAL_NS);
    Assignment hung = next("m");
    hung.state.lend(nowNs);
    assertThat(next("m").batch().wide()).as("beside one that hangs").isFalse();
  }

  @Test
  void shouldChargeForTheTimeOfBothCores() {
    know("m", USUAL_NS);
    Assignment wide = next("m");
    final long beforeNs = nowNs;
    end(wide, WIDE_NS);
    assertThat(scheduler.snapshot(nowNs).devices().get(0).busyUnitNs())
        .isEqualTo(2 * (nowNs - beforeNs));
  }

  private Assignment next(String model) {
    submit(model);
    List<Assignment> all = pollAll(nowNs);
    assertThat(all).hasSize(1);
    return all.get(0);
  }

  private void end(Assignment assignment, long busyNs) {
    end(assignment, busyNs, busyNs);
  }

  private void end(Assignment assignment, long busyNs, long passNs) {
    nowNs += passNs;
    scheduler.onOutcome(
        assignment, new BatchOutcome(true, 1, nowNs - busyNs, 0, busyNs, 0, nowNs), nowNs);
  }

  private void know(String model, long usualNs) {
    seed(model, List.of(new CostSample(1, usualNs), new CostSample(1, usualNs)));
  }

  private void seed(String model, List<CostSample> samples) {
    scheduler.seedProfile(
        new SchedulerCommand.SeedProfile(model + "/1", "CPU", ModelProfile.Seed.STORED, samples));
  }

  private List<CostSample> learned(String model) {
    return scheduler.profile(model + "/1").devices().get(0).samples();
  }
}
