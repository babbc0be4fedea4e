package dev.conveyor.verticles.bench.direct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.Payloads;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class DirectBenchTest {

  private static final Duration SHORT = Duration.ofMillis(400);

  @Test
  void shouldRunOneRunnerPerThreadAndCloseThemAll() throws Exception {
    FakeModel model = new FakeModel(false);

    LoadPoint point = DirectBench.run(model, 3, SHORT, SHORT, CpuClock.UNKNOWN);

    assertThat(model.threads).hasSize(3);
    assertThat(model.open).hasValue(0);
    assertThat(point.inferences()).isPositive();
    assertThat(point.inferences() % 4).isZero();
    assertThat(point.pattern().label()).isEqualTo("threads=3");
  }

  @Test
  void shouldFailWhenARunFails() {
    FakeModel model = new FakeModel(true);

    assertThatThrownBy(() -> DirectBench.run(model, 2, SHORT, SHORT, CpuClock.UNKNOWN))
        .hasMessageContaining("broken model");
    assertThat(model.open).hasValue(0);
  }

  @Test
  void shouldNameTheBackendsThereAreWhenOneIsUnknown() {
    assertThatThrownBy(
            () -> BackendModel.load(Path.of("model.onnx"), "abacus", 1, Payloads.Fill.ZEROS))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no backend \"abacus\"");
  }

  private static final class FakeModel implements DirectModel {

    private final boolean broken;
    private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
    private final AtomicInteger open = new AtomicInteger();

    FakeModel(boolean broken) {
      this.broken = broken;
    }

    @Override
    public String name() {
      return "fake";
    }

    @Override
    public int items() {
      return 4;
    }

    @Override
    public DirectRunner newRunner() {
      open.incrementAndGet();
      Thread owner = Thread.currentThread();
      threads.add(owner);
      return new DirectRunner() {
        @Override
        public void run() {
          if (broken || Thread.currentThread() != owner) {
            throw new IllegalStateException("broken model");
          }
          LockSupport.parkNanos(100_000);
        }

        @Override
        public void close() {
          open.decrementAndGet();
        }
      };
    }

    @Override
    public void close() {
      threads.clear();
    }
  }
}
