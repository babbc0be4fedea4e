package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class WorkerMonitorTest {

  /** Counts the looks at it, each of which goes wrong or not. */
  private static final class Worker implements Looked {
    final CountDownLatch looks = new CountDownLatch(3);
    final CountDownLatch looksForItsEnd = new CountDownLatch(3);
    private final boolean fails;
    private final AtomicLong beats = new AtomicLong();

    Worker(boolean fails) {
      this.fails = fails;
    }

    @Override
    public long pid() {
      return 17;
    }

    @Override
    public boolean isAlive() {
      return true;
    }

    @Override
    public long beats() {
      looks.countDown();
      return failing(beats.incrementAndGet());
    }

    @Override
    public long heldBytes(long limitBytes) {
      return 0;
    }

    @Override
    public long loading() {
      return 0;
    }

    @Override
    public void kill(Loss why) {}

    @Override
    public void killIfEnding() {
      looksForItsEnd.countDown();
      long unused = failing(0);
    }

    private long failing(long value) {
      if (fails) {
        throw new IllegalStateException("this worker cannot be looked at");
      }
      return value;
    }
  }

  @Test
  void shouldGoOnLookingWhenALookGoesWrong() throws InterruptedException {
    Worker broken = new Worker(true);
    Worker well = new Worker(false);
    try (WorkerMonitor monitor = new WorkerMonitor(60_000)) {
      monitor.watch(broken, ProcessLimits.NONE);
      monitor.watch(well, ProcessLimits.NONE);
      for (Worker worker : new Worker[] {broken, well}) {
        assertThat(worker.looks.await(60, TimeUnit.SECONDS)).isTrue();
        assertThat(worker.looksForItsEnd.await(60, TimeUnit.SECONDS)).isTrue();
      }
    }
  }
}
