package dev.conveyor.scheduler.batching;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.TestRequests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class DeadlineBatcherTest {

  /** A batch of b takes 2 + b ms; the objective is 20 ms. */
  private static final BatchCosts COSTS = items -> (2 + items) * MS;

  private static final Duration OBJECTIVE = Duration.ofMillis(20);

  private final List<Rejection> rejected = new ArrayList<>();
  private final DeadlineBatcher batcher = batcher(32, DynamicBatching.DEFAULT);

  @Test
  void shouldRunWhatIsThereAtOnceAndNeverWait() {
    DeadlineBatcher patient =
        batcher(
            8,
            new DynamicBatching(
                List.of(8), Duration.ofMillis(5), false, 0, 0, QueuePolicy.DEFAULT, Map.of()));
    offer(patient, T0, 1);

    assertThat(patient.isReady(T0, COSTS)).isTrue();
    assertThat(take(patient, T0)).isEqualTo(1);
    assertThat(patient.limit()).isEqualTo(Limit.QUEUE);
    assertThat(patient.isReady(T0, COSTS)).isFalse();
    assertThat(patient.take(0, T0, COSTS, rejected)).isNull();
  }

  @Test
  void shouldRunTheEarliestDeadlineFirst() {
    InferenceRequest late = request().arrivalNs(T0).build();
    InferenceRequest own = request().arrivalNs(T0).timeoutMicros(9000).build();
    InferenceRequest client = request().arrivalNs(T0).deadlineNs(T0 + 8 * MS).build();
    InferenceRequest longer = request().arrivalNs(T0 - 1).timeoutMicros(90_000).build();
    for (InferenceRequest request : List.of(late, own, client, longer)) {
      assertThat(batcher.offer(request, T0)).isNull();
    }

    assertThat(batcher.take(0, T0, COSTS, rejected).requests())
        .containsExactly(client, own, longer, late);
  }

  @Test
  void shouldTakeEverythingThatEndsInTimeAndShrinkByOneJustAfter() {
    offer(batcher, T0, 10);
    assertThat(take(batcher, T0 + 8 * MS)).as("12 ms of 12 left").isEqualTo(10);

    offer(batcher, T0, 10);
    assertThat(take(batcher, T0 + 8 * MS + 1)).isEqualTo(9);
    assertThat(batcher.limit()).isEqualTo(Limit.DEADLINE);
    assertThat(batcher.limitNs()).isEqualTo(1);
    assertThat(rejected).isEmpty();
  }

  /** With one place, a sustained batch takes 10 ms at most: 8 items; half of that is 4. */
  @Test
  void shouldShrinkDownToHalfOfWhatIsSustainedAndDropHeadsBelow() {
    warm();
    offer(batcher, T0, 6);
    offer(batcher, T0 + 14 * MS, 10);
    assertThat(take(batcher, T0 + 14 * MS)).as("6 ms left: 4 fit").isEqualTo(4);
    assertThat(rejected).isEmpty();

    batcher.removeAll();
    offer(batcher, T0, 6);
    offer(batcher, T0 + 14 * MS, 10);
    assertThat(take(batcher, T0 + 14 * MS + 1)).as("3 fit; those 6 go").isEqualTo(10);
    assertThat(rejected).hasSize(6);
    assertThat(batcher.dropped()).isEqualTo(6);
    assertThat(batcher.droppedNs()).as("10 ms for 8, 6 ms left").isEqualTo(4 * MS + 1);
    assertThat(rejected.get(0).failure().code()).isEqualTo(ErrorCode.OVERLOADED);
    assertThat(rejected.get(0).failure()).hasMessageContaining("latency objective of 20000 us");
  }

  @Test
  void shouldWantLargerBatchesWhereMoreRunAtOnce() {
    warm();
    batcher.setPlaces(3, 3 * MS, 3 * MS);
    offer(batcher, T0, 20);

    offer(batcher, T0 + 13 * MS, 20);
    assertThat(take(batcher, T0 + 13 * MS)).as("15 ms: 13 items; 5 fit, not half").isEqualTo(18);
    assertThat(rejected).hasSize(20);
  }

  /** The heads are as good as what would run instead of them. */
  @Test
  void shouldNotDropHeadsForABatchThatIsNotTwiceAsLarge() {
    warm();
    offer(batcher, T0, 6);
    offer(batcher, T0 + 15 * MS, 6);
    assertThat(take(batcher, T0 + 15 * MS)).as("5 ms left: 3 fit, 8 wanted, 6 behind").isEqualTo(3);
    assertThat(rejected).isEmpty();

    batcher.removeAll();
    offer(batcher, T0, 6);
    offer(batcher, T0 + 15 * MS, 7);
    assertThat(take(batcher, T0 + 15 * MS)).isEqualTo(7);
    assertThat(rejected).hasSize(6);
  }

  @Test
  void shouldDropARequestOnlyOnceNoBatchCanMakeIt() {
    warm();
    offer(batcher, T0, 1);

    assertThat(batcher.untilExpiryNs(T0)).isEqualTo(17 * MS + 1);
    batcher.expire(T0 + 17 * MS, rejected);
    assertThat(rejected).isEmpty();
    batcher.expire(T0 + 17 * MS + 1, rejected);
    assertThat(rejected).hasSize(1);
    assertThat(batcher.queue().expired()).isEqualTo(1);
  }

  @Test
  void shouldTellADeadlineFromAnObjective() {
    warm();
    assertThat(batcher.offer(request().arrivalNs(T0).timeoutMicros(5000).build(), T0)).isNull();
    batcher.expire(T0 + 2 * MS + 1, rejected);

    assertThat(rejected.get(0).failure().code()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
    assertThat(rejected.get(0).failure().reason())
        .as("3 ms are left, but it would be late")
        .isEqualTo(RefusalReason.DEADLINE);
    InferenceRequest over = request().arrivalNs(T0).timeoutMicros(5000).build();
    assertThat(batcher.offer(over, T0 + 5 * MS).reason()).as("nobody waits for it").isNull();
    assertThat(batcher.offer(request().arrivalNs(T0).build(), T0 + 20 * MS).code())
        .isEqualTo(ErrorCode.OVERLOADED);
    assertThat(batcher.offer(request().arrivalNs(T0).build(), T0 + 20 * MS - 1)).isNull();
  }

  @Test
  void shouldRunOneNowAndThenThoughNothingSeemsToMakeIt() {
    BatchCosts hopeless = items -> 30 * MS;
    batcher.setPlaces(1, 30 * MS, 30 * MS);
    offer(batcher, T0, 2);
    assertThat(batcher.isReady(T0, hopeless)).isTrue();
    Batch probe = batcher.take(0, T0, hopeless, rejected);
    assertThat(probe.items()).isEqualTo(1);
    assertThat(batcher.limit()).isEqualTo(Limit.PROBE);

    batcher.expire(T0, rejected);
    assertThat(rejected).as("the other one").hasSize(1);
    offer(batcher, T0 + 1000 * MS - 1, 1);
    batcher.expire(T0 + 1000 * MS - 1, rejected);
    assertThat(rejected).hasSize(2);
    offer(batcher, T0 + 1000 * MS, 1);
    batcher.expire(T0 + 1000 * MS, rejected);
    assertThat(batcher.take(0, T0 + 1000 * MS, hopeless, rejected).items()).isEqualTo(1);
  }

  @Test
  void shouldTakeAllThatIsLeftIfThatIsInTimeOnlyWhereNothingIsLeftBehind() {
    BatchCosts lastFast =
        new BatchCosts() {
          @Override
          public long boundNs(int items) {
            return (18 + items) * MS;
          }

          @Override
          public long lastNs(int items) {
            return (2 + items) * MS;
          }
        };
    offer(batcher, T0, 1);
    assertThat(batcher.take(0, T0, lastFast, rejected).items()).isEqualTo(1);
    batcher.setPlaces(1, lastFast.boundNs(1), lastFast.lastNs(1));

    offer(batcher, T0, 4);
    assertThat(batcher.take(0, T0 + 14 * MS, lastFast, rejected).items()).isEqualTo(4);
    assertThat(rejected).isEmpty();

    offer(batcher, T0, 1);
    offer(batcher, T0 + 14 * MS, 4);
    assertThat(batcher.take(0, T0 + 14 * MS + 1, lastFast, rejected).items())
        .as("without the first, which the five would be too late for")
        .isEqualTo(4);
    assertThat(rejected).hasSize(1);
  }

  @Test
  void shouldNotGiveUpAHighLevelForTheSakeOfManyLowOnes() {
    DeadlineBatcher levels =
        batcher(
            32,
            new DynamicBatching(
                List.of(), Duration.ZERO, false, 2, 2, QueuePolicy.DEFAULT, Map.of()));
    offer(levels, T0, 1);
    take(levels, T0);
    InferenceRequest high = request().priority(1).arrivalNs(T0).deadlineNs(T0 + 3 * MS).build();
    offer(levels, T0, 10);
    assertThat(levels.offer(high, T0)).isNull();

    assertThat(levels.take(0, T0, COSTS, rejected).requests()).containsExactly(high);
    assertThat(rejected).isEmpty();
    assertThat(take(levels, T0)).isEqualTo(10);
  }

  @Test
  void shouldKeepTheOrderOfArrivalWhereThatIsPromised() {
    DeadlineBatcher ordered =
        batcher(
            32,
            new DynamicBatching(
                List.of(), Duration.ZERO, true, 0, 0, QueuePolicy.DEFAULT, Map.of()));
    InferenceRequest first = request().arrivalNs(T0).build();
    InferenceRequest urgent = request().arrivalNs(T0).timeoutMicros(9000).build();
    assertThat(ordered.offer(first, T0)).isNull();
    assertThat(ordered.offer(urgent, T0)).isNull();

    assertThat(ordered.take(0, T0, COSTS, rejected).requests()).containsExactly(first, urgent);
  }

  @Test
  void shouldSkipRequestsThatWereAnsweredMeanwhile() {
    InferenceRequest gone = request().arrivalNs(T0).build();
    assertThat(batcher.offer(gone, T0)).isNull();
    offer(batcher, T0, 1);
    TestRequests.cancel(gone);

    assertThat(take(batcher, T0)).isEqualTo(1);
    assertThat(rejected).extracting(Rejection::request).containsExactly(gone);
    assertThat(batcher.queue().cancelled()).isEqualTo(1);
  }

  @Test
  void shouldHaveToStartInTimeForTheHead() {
    offer(batcher, T0, 4);
    assertThat(batcher.latestStartNs(T0, COSTS) - T0).isEqualTo(14 * MS);
    assertThat(batcher.latestStartNs(T0 + 15 * MS, COSTS) - T0).isEqualTo(15 * MS);
  }

  /** Has run something, so that nothing is kept as a probe. */
  private void warm() {
    batcher.setPlaces(1, COSTS.boundNs(1), COSTS.boundNs(1));
    offer(batcher, T0, 1);
    assertThat(take(batcher, T0)).isEqualTo(1);
  }

  private static DeadlineBatcher batcher(int max, DynamicBatching batching) {
    ServiceLevel level = new ServiceLevel(OBJECTIVE, 99, PriorityClass.STANDARD, Duration.ZERO);
    return new DeadlineBatcher(
        "m",
        max,
        true,
        OBJECTIVE.toNanos(),
        !batching.preserveOrdering(),
        new RequestQueue("m", batching, level, 0));
  }

  private static void offer(DeadlineBatcher batcher, long nowNs, int count) {
    for (int i = 0; i < count; i++) {
      assertThat(batcher.offer(request().arrivalNs(nowNs).build(), nowNs)).isNull();
    }
  }

  private int take(DeadlineBatcher batcher, long nowNs) {
    Batch batch = batcher.take(0, nowNs, COSTS, rejected);
    return batch == null ? 0 : batch.items();
  }
}
