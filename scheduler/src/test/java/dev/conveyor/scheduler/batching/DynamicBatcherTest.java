package dev.conveyor.scheduler.batching;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.items;
import static dev.conveyor.scheduler.TestRequests.request;
import static dev.conveyor.scheduler.batching.BatchCosts.UNKNOWN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.TestRequests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class DynamicBatcherTest {

  private final List<Rejection> rejected = new ArrayList<>();

  @Test
  void shouldTakeWhatIsQueuedUpToTheMaximumWhenThereIsNoDelay() {
    DynamicBatcher batcher = batcher(4, Duration.ZERO);

    assertThat(batcher.isReady(T0, UNKNOWN)).isFalse();
    offer(batcher, 1, 1, 1, 1, 1);

    assertThat(take(batcher, T0)).containsExactly(1, 1, 1, 1);
    assertThat(take(batcher, T0)).containsExactly(1);
    assertThat(take(batcher, T0)).isEmpty();
    assertThat(batcher.untilReadyNs(T0, UNKNOWN)).isEqualTo(DynamicBatcher.NEVER);
  }

  @Test
  void shouldSendPartialBatchOnceTheOldestRequestHasWaitedTheDelay() {
    DynamicBatcher batcher = batcher(4, Duration.ofMillis(2));
    offer(batcher, 1);
    assertThat(batcher.offer(items(1), T0 + MS)).isNull();

    assertThat(batcher.untilReadyNs(T0 + MS, UNKNOWN)).isEqualTo(MS);
    assertThat(batcher.isReady(T0 + 2 * MS - 1, UNKNOWN)).isFalse();
    assertThat(take(batcher, T0 + 2 * MS - 1)).isEmpty();
    assertThat(batcher.isReady(T0 + 2 * MS, UNKNOWN)).isTrue();
    assertThat(take(batcher, T0 + 2 * MS)).containsExactly(1, 1);
  }

  @Test
  void shouldSendFullBatchBeforeTheDelay() {
    DynamicBatcher batcher = batcher(4, Duration.ofMillis(2));
    offer(batcher, 1, 2);

    assertThat(batcher.isReady(T0, UNKNOWN)).isFalse();
    offer(batcher, 1);

    assertThat(take(batcher, T0)).containsExactly(1, 2, 1);
  }

  @Test
  void shouldNotWaitForABatchThatCannotGrow() {
    DynamicBatcher tooBigNext = batcher(4, Duration.ofMillis(2));
    offer(tooBigNext, 3, 2);
    assertThat(take(tooBigNext, T0)).containsExactly(3);
    assertThat(take(tooBigNext, T0)).as("2 may still grow").isEmpty();

    DynamicBatcher otherShapeNext = batcher(4, Duration.ofMillis(2));
    assertThat(otherShapeNext.offer(request().shapeKey("a").build(), T0)).isNull();
    assertThat(otherShapeNext.offer(request().shapeKey("a").build(), T0)).isNull();
    assertThat(otherShapeNext.offer(request().shapeKey("b").build(), T0)).isNull();
    assertThat(take(otherShapeNext, T0)).containsExactly(1, 1);
    assertThat(take(otherShapeNext, T0)).isEmpty();
    assertThat(take(otherShapeNext, T0 + 2 * MS)).containsExactly(1);
  }

  @Test
  void shouldCutAtTheLargestPreferredSizeThatIsReached() {
    DynamicBatcher batcher = batcher(16, Duration.ofMillis(2), 2, 4, 8);
    offer(batcher, 1);
    assertThat(batcher.isReady(T0, UNKNOWN)).isFalse();
    offer(batcher, 1, 1);
    assertThat(take(batcher, T0)).containsExactly(1, 1);

    offer(batcher, 1, 1, 1, 1, 1, 1);
    assertThat(take(batcher, T0)).as("7 are queued").containsExactly(1, 1, 1, 1);
    assertThat(take(batcher, T0)).containsExactly(1, 1);
    assertThat(take(batcher, T0)).isEmpty();
  }

  @Test
  void shouldNotExceedTheLargestPreferredSizeBeforeTheDelay() {
    DynamicBatcher batcher = batcher(16, Duration.ofMillis(2), 4);
    offer(batcher, 1, 1, 1, 1, 1);

    assertThat(take(batcher, T0)).containsExactly(1, 1, 1, 1);
    assertThat(take(batcher, T0)).isEmpty();

    offer(batcher, 2, 2);
    assertThat(take(batcher, T0)).as("3 is the most that stays within 4").containsExactly(1, 2);
    assertThat(take(batcher, T0)).isEmpty();

    offer(batcher, 9);
    assertThat(take(batcher, T0)).containsExactly(2);
    assertThat(take(batcher, T0)).as("alone, larger than preferred").containsExactly(9);
  }

  @Test
  void shouldTakeTheLongestBatchOnceTheDelayIsOver() {
    DynamicBatcher batcher = batcher(8, Duration.ofMillis(2), 4);
    offer(batcher, 1, 1, 1, 1, 1, 1, 1, 1, 1);

    assertThat(take(batcher, T0 + 2 * MS)).hasSize(8);
    assertThat(take(batcher, T0 + 2 * MS)).hasSize(1);
  }

  @Test
  void shouldTakeWhatIsQueuedWithoutDelayWhenNoPreferredSizeIsReached() {
    DynamicBatcher batcher = batcher(8, Duration.ZERO, 4);
    offer(batcher, 1, 1, 1);

    assertThat(take(batcher, T0)).containsExactly(1, 1, 1);
  }

  @Test
  void shouldRunEveryRequestAloneWithoutDynamicBatching() {
    DynamicBatcher batcher = newBatcher(8, Optional.empty());
    offer(batcher, 1, 5);
    assertThat(take(batcher, T0)).containsExactly(1);
    assertThat(take(batcher, T0)).containsExactly(5);

    DynamicBatcher unbatched = newBatcher(0, Optional.of(DynamicBatching.DEFAULT));
    offer(unbatched, 1, 1);
    assertThat(take(unbatched, T0)).containsExactly(1);
    assertThat(take(unbatched, T0)).containsExactly(1);
  }

  @Test
  void shouldRefuseABatchSizeOutsideTheModels() {
    DynamicBatcher batcher = batcher(4, Duration.ZERO);

    assertThat(batcher.offer(items(4), T0)).isNull();
    assertThat(batcher.offer(items(5), T0).code()).isEqualTo(ErrorCode.INVALID_REQUEST);
    assertThat(batcher.offer(items(0), T0))
        .hasMessageContaining("1 to 4")
        .hasMessageContaining("0");
    assertThat(batcher.queue().requests()).isEqualTo(1);
  }

  @Test
  void shouldSkipRequestsThatWereAnsweredMeanwhile() {
    DynamicBatcher batcher = batcher(4, Duration.ZERO);
    InferenceRequest gone = items(2);
    InferenceRequest stays = items(3);
    assertThat(batcher.offer(gone, T0)).isNull();
    assertThat(batcher.offer(stays, T0)).isNull();
    TestRequests.cancel(gone);

    Batch batch = batcher.take(7, T0, UNKNOWN, rejected);

    assertThat(batch.requests()).containsExactly(stays);
    assertThat(batch.items()).isEqualTo(3);
    assertThat(batch.id()).isEqualTo(7);
    assertThat(rejected).extracting(Rejection::request).containsExactly(gone);
    assertThat(batcher.queue().cancelled()).isEqualTo(1);
    assertThat(batcher.queue().items()).isZero();
  }

  @Test
  void shouldCutAgainWhenAPreferredSizeIsLostToCancellation() {
    DynamicBatcher batcher = batcher(8, Duration.ofMillis(2), 4);
    InferenceRequest gone = items(1);
    offer(batcher, 1, 1, 1);
    assertThat(batcher.offer(gone, T0)).isNull();
    assertThat(batcher.isReady(T0, UNKNOWN)).isTrue();
    TestRequests.cancel(gone);

    assertThat(take(batcher, T0)).isEmpty();
    assertThat(batcher.queue().requests()).isEqualTo(3);
    assertThat(take(batcher, T0 + 2 * MS)).hasSize(3);
  }

  @Test
  void shouldRunHigherPrioritiesFirstAndTheDefaultWhereNoneIsNamed() {
    DynamicBatcher batcher =
        newBatcher(
            8,
            Optional.of(
                new DynamicBatching(
                    List.of(), Duration.ZERO, false, 3, 2, QueuePolicy.DEFAULT, Map.of())));
    InferenceRequest low = request().priority(3).build();
    InferenceRequest unnamed = request().build();
    InferenceRequest unknown = request().priority(9).build();
    InferenceRequest high = request().priority(1).build();
    for (InferenceRequest request : List.of(low, unnamed, unknown, high)) {
      assertThat(batcher.offer(request, T0)).isNull();
    }

    assertThat(batcher.take(0, T0, UNKNOWN, rejected).requests())
        .containsExactly(high, unnamed, unknown, low);
  }

  private static DynamicBatcher batcher(int max, Duration delay, Integer... preferred) {
    return newBatcher(
        max,
        Optional.of(
            new DynamicBatching(
                List.of(preferred), delay, false, 0, 0, QueuePolicy.DEFAULT, Map.of())));
  }

  private static DynamicBatcher newBatcher(int max, Optional<DynamicBatching> batching) {
    RequestQueue queue =
        new RequestQueue("m", batching.orElse(DynamicBatching.DEFAULT), ServiceLevel.DEFAULT, 0);
    return new DynamicBatcher("m", max, batching, queue);
  }

  private static void offer(DynamicBatcher batcher, int... sizes) {
    for (int size : sizes) {
      assertThat(batcher.offer(items(size), T0)).isNull();
    }
  }

  private List<Integer> take(DynamicBatcher batcher, long nowNs) {
    boolean ready = batcher.isReady(nowNs, UNKNOWN);
    Batch batch = batcher.take(0, nowNs, UNKNOWN, rejected);
    if (batch == null) {
      return List.of();
    }
    assertThat(ready).isTrue();
    return batch.requests().stream().map(InferenceRequest::batchSize).toList();
  }
}
