package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.conveyor.verticles.metrics.ModelStats.Duration;
import dev.conveyor.verticles.metrics.ModelStats.Reason;
import dev.conveyor.verticles.metrics.ModelStats.Snapshot;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

final class RecordingModelStatsTest {

  private final RecordingModelStats stats = new RecordingModelStats(() -> 1_700_000_000_123L);

  @Test
  void shouldCountRequestsAndTheirItems() {
    stats.onSuccess(3, 0, 100, 1_000);
    stats.onSuccess(1, 50, 200, 3_000);

    Snapshot s = stats.snapshot();
    assertThat(s.inferenceCount()).isEqualTo(4);
    assertThat(s.success()).isEqualTo(new Duration(2, 4_000));
    assertThat(s.queue()).isEqualTo(new Duration(2, 300));
    assertThat(s.lastInferenceMs()).isEqualTo(1_700_000_000_123L);
    assertThat(stats.histograms().preprocess().count()).isEqualTo(1);
  }

  @Test
  void shouldCountEveryRequestOfABatchInFullButTheBatchOnce() {
    stats.onBatch(2, 8, 10, 100, 20);
    stats.onBatch(8, 8, 10, 100, 20);

    Snapshot s = stats.snapshot();
    assertThat(s.executionCount()).isEqualTo(2);
    assertThat(s.computeInfer()).isEqualTo(new Duration(10, 1_000));
    assertThat(s.batches()).containsOnlyKeys(8);
    assertThat(s.batches().get(8).computeOutput()).isEqualTo(new Duration(2, 40));
    assertThat(stats.histograms().compute().count()).isEqualTo(2);
  }

  @Test
  void shouldTakeABatchWithoutRequestCountAsOneItemEach() {
    stats.onBatch(4, 10, 100, 20);
    assertThat(stats.snapshot().computeInput()).isEqualTo(new Duration(4, 40));
  }

  @Test
  void shouldCountFailuresByReason() {
    stats.onFailure(Reason.REJECTED, 10);
    stats.onFailure(Reason.BACKEND, 20);
    stats.onFailure(Reason.BACKEND, 30);

    Snapshot s = stats.snapshot();
    assertThat(s.fail()).isEqualTo(new Duration(3, 60));
    assertThat(s.failures())
        .containsEntry(Reason.REJECTED, 1L)
        .containsEntry(Reason.BACKEND, 2L)
        .containsEntry(Reason.CANCELED, 0L)
        .containsEntry(Reason.OTHER, 0L);
  }

  @Test
  void shouldCountHugeBatchesAsTheLargest() {
    stats.onBatch(1, Integer.MAX_VALUE, 1, 1, 1);
    assertThat(stats.snapshot().batches()).containsOnlyKeys(RecordingModelStats.LARGEST_BATCH);
  }

  @Test
  void shouldLoseNothingWhenManyThreadsRecordNewBatchSizesAtOnce() throws InterruptedException {
    int threads = 4;
    long rounds = 2_000;
    CountDownLatch start = new CountDownLatch(1);
    List<Thread> all = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      Thread thread =
          new Thread(
              () -> {
                await(start);
                for (int i = 0; i < rounds; i++) {
                  stats.onBatch(1, 1 + i % 200, 1, 1, 1);
                  stats.onSuccess(1, 1, 1, 1);
                }
              });
      thread.start();
      all.add(thread);
    }
    start.countDown();
    for (Thread thread : all) {
      thread.join();
    }
    assertThat(stats.snapshot().executionCount()).isEqualTo(threads * rounds);
    assertThat(stats.snapshot().success().count()).isEqualTo(threads * rounds);
    assertThat(stats.snapshot().batches()).hasSize(200);
  }

  @Test
  void shouldAllocateNothingPerRequest() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    record(1_000);
    long before = threads.getCurrentThreadAllocatedBytes();
    record(100_000);
    long perRequest = (threads.getCurrentThreadAllocatedBytes() - before) / 100_000;
    assertThat(perRequest).isZero();
  }

  private void record(int times) {
    for (int i = 0; i < times; i++) {
      stats.onSuccess(1, i, 1_000L * i, 2_000L * i);
      stats.onBatch(1, 1 + (i & 7), 1_000, 50_000, 1_000);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
