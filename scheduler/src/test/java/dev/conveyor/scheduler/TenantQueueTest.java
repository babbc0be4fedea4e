package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.batching.Rejection;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Who gets the room in the full queue of a model without an objective. */
final class TenantQueueTest {

  private static final int ROOM = 10;

  private final LoadCell cell = new LoadCell();

  @Test
  void shouldMakeRoomForATenantWithLessThanItsShare() {
    Scheduler scheduler = scheduler(false);
    assertThat(fill(scheduler, "greedy")).isEqualTo(ROOM);
    scheduler.publishLoads(T0);
    assertThat(cell.get().full()).as("not for everybody").isFalse();

    assertThat(submit(scheduler, "modest")).isNull();
    List<Rejection> displaced = scheduler.takeRejected();
    assertThat(displaced).hasSize(1);
    assertThat(displaced.get(0).request().tenant()).isEqualTo("greedy");
    InferenceException told = displaced.get(0).failure();
    assertThat(told.code()).isEqualTo(ErrorCode.QUEUE_FULL);
    assertThat(told.reason()).isEqualTo(RefusalReason.QUEUE_FULL);
    assertThat(told).hasMessageContaining("tenant 'greedy' has more in it than its share");
    assertThat(told.retryAfterNs()).isPositive();
    assertThat(scheduler.snapshot(T0).models().get(0).queuedRequests()).isEqualTo(ROOM);
  }

  @Test
  void shouldTellTheDoorToWhomNothingGivesWayUntilThereIsRoom() {
    Scheduler scheduler = scheduler(false);
    fill(scheduler, "greedy"); // the last of it found no room
    scheduler.publishLoads(T0);
    assertThat(cell.get().seenBy("greedy").full()).isTrue();
    assertThat(cell.get().seenBy("modest").full()).isFalse();
    assertThat(cell.get().full()).as("who does not say yet").isFalse();

    assertThat(submit(scheduler, "modest")).isNull();
    scheduler.publishLoads(T0);
    assertThat(cell.get().seenBy("greedy").full()).as("still full").isTrue();

    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    assertThat(scheduler.poll(T0)).as("a batch that makes room").isNotNull();
    scheduler.publishLoads(T0);
    assertThat(cell.get().seenBy("greedy").full()).isFalse();
  }

  @Test
  void shouldLeaveEachTenantItsShareOfTheRoom() {
    Scheduler scheduler = scheduler(false);
    fill(scheduler, "greedy");
    for (int i = 0; i < 3 * ROOM; i++) {
      submit(scheduler, "modest");
      submit(scheduler, "greedy");
    }
    scheduler.takeRejected();
    assertThat(queued(scheduler)).containsEntry("greedy", ROOM / 2).containsEntry("modest", 5);
  }

  @Test
  void shouldRefuseTheLastToComeWhereNobodySaysWhoItIs() {
    Scheduler scheduler = scheduler(false);
    assertThat(fill(scheduler, "")).isEqualTo(ROOM);
    InferenceException refusal = Objects.requireNonNull(submit(scheduler, ""));
    assertThat(refusal).hasMessageContaining("exceeds maximum queue size " + ROOM);
    assertThat(refusal.retryAfterNs()).isPositive();
    assertThat(scheduler.takeRejected()).isEmpty();
    scheduler.publishLoads(T0);
    assertThat(cell.get().full()).isTrue();
  }

  @Test
  void shouldDisplaceNobodyWhereOrderIsPreserved() {
    Scheduler scheduler = scheduler(true);
    fill(scheduler, "greedy");
    assertThat(submit(scheduler, "modest")).isNotNull();
    assertThat(scheduler.takeRejected()).isEmpty();
    scheduler.publishLoads(T0);
    assertThat(cell.get().full()).isTrue();
  }

  private static Map<String, Integer> queued(Scheduler scheduler) {
    Map<String, Integer> queued = new HashMap<>();
    scheduler.shutDown();
    scheduler.takeRejected().forEach(r -> queued.merge(r.request().tenant(), 1, Integer::sum));
    return queued;
  }

  private static int fill(Scheduler scheduler, String tenant) {
    int taken = 0;
    while (submit(scheduler, tenant) == null) {
      taken++;
    }
    return taken;
  }

  private static @Nullable InferenceException submit(Scheduler scheduler, String tenant) {
    return scheduler.submit(request().tenant(tenant).build(), T0);
  }

  /** A scheduler whose model has no instance yet. */
  private Scheduler scheduler(boolean ordered) {
    Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)), Tenants.DEFAULT);
    DynamicBatching batching =
        new DynamicBatching(List.of(), Duration.ZERO, ordered, 0, 0, QueuePolicy.DEFAULT, Map.of());
    scheduler.addModel(
        new ModelPlan("m", "1", 1, Optional.of(batching), 1, ROOM, Admission.DEFAULT), T0);
    scheduler.publishTo("m/1", cell);
    return scheduler;
  }
}
