package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.admission.AdmissionRule;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.admission.ModelLoad;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whom a flood of a lower priority level keeps out, under virtual time; 10 ms per request. */
final class PriorityAdmissionTest {

  private static final int HIGH = 1;
  private static final int LOW = 2;
  private static final int FLOOD = 20;
  private static final long RUN_NS = 10 * MS;

  private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)));
  private final LoadCell cell = new LoadCell();
  private long nowNs = T0;

  @BeforeEach
  void published() {
    cell.set(ModelLoad.IDLE);
  }

  @Test
  void shouldNotCountLowerLevelsAgainstADeadline() {
    flood(Duration.ZERO, Admission.DEFAULT);

    // 10 ms of the one that runs, and its own.
    assertThat(submit(LOW, nowNs + 20 * MS)).isNotNull();
    assertThat(submit(HIGH, nowNs + 20 * MS - 1)).isNotNull();
    assertThat(submit(HIGH, nowNs + 20 * MS)).isNull();
  }

  @Test
  void shouldLeaveWordOfWhatEachLevelFinds() {
    flood(Duration.ZERO, Admission.DEFAULT);
    assertThat(submit(HIGH, InferenceRequest.NO_DEADLINE)).isNull();
    scheduler.publishLoads(nowNs);

    assertThat(atDoor(HIGH, nowNs + 30 * MS)).as("behind one of its own level").isNull();
    assertThat(atDoor(HIGH, nowNs + 30 * MS - 1)).isNotNull();
    assertThat(atDoor(LOW, nowNs + 30 * MS)).isNotNull();
    assertThat(atDoor(0, nowNs + 30 * MS)).as("of the default level, which is low").isNotNull();
    assertThat(cell.get().queuedRequests()).as("of all levels").isEqualTo(FLOOD + 1);
  }

  @Test
  void shouldKeepNobodyOutForTheObjectiveOfLowerLevels() {
    // 1.5 x 50 / 10 are servable, and more than that of the lower level wait.
    flood(Duration.ofMillis(50), Admission.DEFAULT);
    scheduler.publishLoads(nowNs);

    assertThat(atDoor(LOW, InferenceRequest.NO_DEADLINE)).isNotNull();
    assertThat(atDoor(HIGH, InferenceRequest.NO_DEADLINE)).isNull();
    assertThat(submit(HIGH, InferenceRequest.NO_DEADLINE)).isNull();
  }

  @Test
  void shouldBoundTheBytesOfALevelAndThoseAboveIt() {
    flood(Duration.ZERO, new Admission(FLOOD, Duration.ZERO, Duration.ofMillis(100), null));
    scheduler.publishLoads(nowNs);

    InferenceException refusal = Objects.requireNonNull(submit(LOW, InferenceRequest.NO_DEADLINE));
    assertThat(refusal.reason()).isEqualTo(RefusalReason.QUEUE_BYTES);
    assertThat(atDoor(LOW, InferenceRequest.NO_DEADLINE)).isNotNull();
    assertThat(atDoor(HIGH, InferenceRequest.NO_DEADLINE)).isNull();
    for (int i = 0; i < FLOOD; i++) {
      assertThat(submit(HIGH, InferenceRequest.NO_DEADLINE)).isNull();
    }
    assertThat(submit(HIGH, InferenceRequest.NO_DEADLINE)).isNotNull();
  }

  private @Nullable InferenceException atDoor(int level, long deadlineNs) {
    return AdmissionRule.check("m", cell.get().seenBy(level), 1, 1, deadlineNs, nowNs);
  }

  private @Nullable InferenceException submit(int level, long deadlineNs) {
    return scheduler.submit(
        request().priority(level).deadlineNs(deadlineNs).arrivalNs(nowNs).build(), nowNs);
  }

  /** One runs, and many of the lower level wait. */
  private void flood(Duration objective, Admission admission) {
    ServiceLevel level =
        new ServiceLevel(objective, 99, ServiceLevel.PriorityClass.STANDARD, Duration.ofSeconds(1));
    DynamicBatching levels =
        new DynamicBatching(
            List.of(), Duration.ZERO, false, LOW, LOW, QueuePolicy.DEFAULT, Map.of());
    scheduler.addModel(
        new ModelPlan("m", "1", 1, Optional.of(levels), 1, 0, admission, level), nowNs);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), nowNs);
    scheduler.publishTo("m/1", cell);
    for (int i = 0; i < 3; i++) {
      assertThat(submit(LOW, InferenceRequest.NO_DEADLINE)).isNull();
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      nowNs += RUN_NS;
      scheduler.onOutcome(next, new BatchOutcome(true, 1, 0, 0, RUN_NS, 0, RUN_NS), nowNs);
    }
    assertThat(submit(LOW, InferenceRequest.NO_DEADLINE)).isNull();
    assertThat(scheduler.poll(nowNs)).isNotNull();
    for (int i = 0; i < FLOOD; i++) {
      if (submit(LOW, InferenceRequest.NO_DEADLINE) != null) {
        break;
      }
    }
  }
}
