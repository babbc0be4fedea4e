package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.profile.CostSample;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/**
 * An objective that only batches with all cores can meet: 10 ms with one core, 6 with both, 8 are
 * promised. Whatever runs takes exactly that.
 */
final class WideObjectivesTest extends SchedulerCase {

  private static final long USUAL_NS = 10 * MS;
  private static final long WIDE_NS = 6 * MS;
  private static final long OBJECTIVE_NS = 8 * MS;

  private long nowNs = T0;

  WideObjectivesTest() {
    super(DeviceSpec.cpu("CPU", 2));
  }

  @Test
  void shouldServeWhatHasAllCoresForItself() {
    addModel(2, OBJECTIVE_NS);
    learn();
    assertAllAreServedWide();
  }

  @Test
  void shouldServeWhatCanWaitForAllCores() {
    addModel(2, OBJECTIVE_NS);
    learn();
    Assignment first = only();
    nowNs += WIDE_NS - (OBJECTIVE_NS - WIDE_NS); // of which so much is left at its end
    submit();
    submit();
    assertThat(pollAll(nowNs)).as("both cores are taken").isEmpty();
    nowNs += OBJECTIVE_NS - WIDE_NS;
    ended(first);

    List<Assignment> next = pollAll(nowNs);
    assertThat(next).as("one of the two, as it takes both cores").hasSize(1);
    assertThat(next.get(0).batch().wide()).isTrue();
    assertThat(scheduler.takeRejected()).hasSize(1);
  }

  @Test
  void shouldGoOnAfterOneThatWasLate() {
    addModel(2, OBJECTIVE_NS);
    learn();
    Assignment slow = only();
    nowNs += OBJECTIVE_NS + 1;
    endedAfter(slow, OBJECTIVE_NS + 1);
    nowNs += 1000 * MS;
    assertAllAreServedWide();
  }

  @Test
  void shouldTryAgainWithAllCoresWhatWouldBeLateWithout() {
    addModel(2, OBJECTIVE_NS);
    learn();
    for (int i = 0; i < 3; i++) { // after which the slow ones are believed
      nowNs += 1000 * MS;
      Assignment slow = only();
      nowNs += USUAL_NS;
      endedAfter(slow, USUAL_NS);
    }
    nowNs += 1000 * MS;
    Assignment next = only();
    assertThat(next.batch().wide()).isTrue();
    end(next);
    assertThat(only().batch().wide()).as("at once, as that was in time").isTrue();
  }

  @Test
  void shouldTellEnsemblesHowSoonItCanBeAtBest() {
    addModel(2, OBJECTIVE_NS);
    learn();
    only();
    LoadCell cell = new LoadCell();
    scheduler.publishTo("m/1", cell);
    scheduler.publishLoads(nowNs);
    assertThat(cell.get().earliestDoneNs(0, nowNs)).isEqualTo(WIDE_NS);
  }

  @Test
  void shouldRefuseWhatIsTooLateForThem() {
    addModel(2, OBJECTIVE_NS);
    learn();
    Assignment first = only();
    nowNs += WIDE_NS - (OBJECTIVE_NS - WIDE_NS) - 1;
    submit();
    assertThat(pollAll(nowNs)).isEmpty();
    nowNs += OBJECTIVE_NS - WIDE_NS + 1;
    ended(first);
    assertThat(pollAll(nowNs)).isEmpty();
    assertThat(scheduler.takeRejected()).hasSize(1);
  }

  @Test
  void shouldRefuseWhatWouldHaveToShareThem() {
    add("other", 1, null, 1);
    scheduler.addInstance(new InstanceRef("other/1", 0, "CPU", 1), T0);
    addModel(2, OBJECTIVE_NS);
    learn();
    assertThat(scheduler.submit(request().model("other").arrivalNs(nowNs).build(), nowNs)).isNull();
    assertThat(pollAll(nowNs)).hasSize(1);

    submit();
    assertThat(pollAll(nowNs)).isEmpty();
    assertThat(scheduler.takeRejected()).hasSize(1);
  }

  @Test
  void shouldRefuseWhatNoNumberOfCoresIsFastEnoughFor() {
    addModel(2, WIDE_NS - 1);
    learn();
    submit();
    assertThat(pollAll(nowNs)).isEmpty();
    assertThat(scheduler.takeRejected()).hasSize(1);
  }

  @Test
  void shouldRefuseItWithoutIdleThreads() {
    addModel(1, OBJECTIVE_NS);
    learn();
    submit();
    assertThat(pollAll(nowNs)).isEmpty();
    assertThat(scheduler.takeRejected()).hasSize(1);
  }

  private void addModel(int idleUnits, long objectiveNs) {
    scheduler.addModel(
        new ModelPlan(
            "m",
            "1",
            1,
            Optional.empty(),
            1,
            100,
            new ServiceLevel(
                Duration.ofNanos(objectiveNs),
                99,
                ServiceLevel.PriorityClass.STANDARD,
                Duration.ofSeconds(1))),
        T0);
    for (int i = 0; i < 2; i++) {
      scheduler.addInstance(new InstanceRef("m/1", i, "CPU", 1, idleUnits), T0);
    }
    CostSample usual = new CostSample(1, USUAL_NS);
    scheduler.seedProfile(
        new SchedulerCommand.SeedProfile(
            "m/1", "CPU", ModelProfile.Seed.WARM_UP, List.of(usual, usual)));
  }

  /** Lets it find out what more cores gain, by what runs once a second whatever is predicted. */
  private void learn() {
    for (int i = 0; i < 8; i++) {
      nowNs += 1000 * MS;
      submit();
      pollAll(nowNs).forEach(this::end);
    }
    scheduler.takeRejected();
  }

  private void submit() {
    assertThat(scheduler.submit(request().arrivalNs(nowNs).build(), nowNs)).isNull();
  }

  private Assignment only() {
    submit();
    List<Assignment> all = pollAll(nowNs);
    assertThat(all).hasSize(1);
    return Objects.requireNonNull(all.get(0));
  }

  /** Has many come, each when the one before it has ended. */
  private void assertAllAreServedWide() {
    for (int i = 0; i < 50; i++) {
      Assignment next = only();
      assertThat(next.batch().wide()).isTrue();
      end(next);
    }
    assertThat(scheduler.takeRejected()).isEmpty();
  }

  private void end(Assignment assignment) {
    nowNs += assignment.batch().wide() ? WIDE_NS : USUAL_NS;
    ended(assignment);
  }

  private void ended(Assignment assignment) {
    endedAfter(assignment, assignment.batch().wide() ? WIDE_NS : USUAL_NS);
  }

  private void endedAfter(Assignment assignment, long busyNs) {
    scheduler.onOutcome(
        assignment, new BatchOutcome(true, 1, nowNs - busyNs, 0, busyNs, 0, nowNs), nowNs);
  }
}
