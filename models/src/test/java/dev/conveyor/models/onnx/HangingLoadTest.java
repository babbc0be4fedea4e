package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.OnnxFiles;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.device.PatientLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.bytedeco.onnxruntime.Session;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a session that does not open does to those that are opened after it. */
final class HangingLoadTest {

  private final MemoryBudget budget = new MemoryBudget("CPU", 64L << 20);
  private final CountDownLatch hangs = new CountDownLatch(1);
  private final CountDownLatch comesBack = new CountDownLatch(1);

  @Test
  @Timeout(60)
  void shouldOpenOthersBesideASessionThatDoesNotOpen(@TempDir Path dir) throws Exception {
    LoadedBytes loadedBytes = new LoadedBytes(new PatientLock(Duration.ofMillis(1)));
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 2);
    Thread hanging =
        new Thread(() -> loadedBytes.open(this::hang, budget, () -> budget.reserve("hanging", 1)));
    hanging.setUncaughtExceptionHandler((thread, expected) -> {});
    hanging.start();
    hangs.await();

    try (LoadedModel model =
        new OnnxBackend(loadedBytes).load(file, new LoadOptions("m/1", 1, budget, Map.of()))) {
      assertThat(model.reservedBytes()).isGreaterThanOrEqualTo(Files.size(file));
    }

    assertThat(budget.reservedBytes()).as("only what hangs").isEqualTo(1);
    comesBack.countDown();
    hanging.join();
    assertThat(budget.reservedBytes()).isZero();
  }

  private Session hang() {
    hangs.countDown();
    try {
      comesBack.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw new IllegalStateException("it came back without a session");
  }
}
