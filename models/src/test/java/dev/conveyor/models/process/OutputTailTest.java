package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class OutputTailTest {

  private final CountDownLatch closed = new CountDownLatch(1);

  @Test
  void shouldHoldOnlyTheBeginningOfALineThatDoesNotEnd() throws InterruptedException {
    // More than the heap of a test has room for.
    OutputTail tail =
        tail(new LongLine(Runtime.getRuntime().maxMemory()), new CompletableFuture<>());
    closed.await();

    assertThat(tail.text()).isEqualTo("x".repeat(500));
  }

  @Test
  void shouldKeepTheLastLinesAndTellOfACrashOnceItIsNamed() throws InterruptedException {
    List<String> crash = List.of(Epitaph.CRASH, "#", Epitaph.FRAME, "# C  [libx.so+0x1]  f");
    String printed = String.join("\n", crash) + "\n\nlast";
    CompletableFuture<List<String>> told = new CompletableFuture<>();
    OutputTail tail =
        tail(new ByteArrayInputStream(printed.getBytes(StandardCharsets.UTF_8)), told);
    closed.await();

    assertThat(told).isCompletedWithValue(crash);
    assertThat(tail.text()).isEqualTo(printed);
  }

  private OutputTail tail(InputStream printed, CompletableFuture<List<String>> crash) {
    InputStream noted =
        new FilterInputStream(printed) {
          @Override
          public void close() throws IOException {
            super.close();
            closed.countDown();
          }
        };
    return new OutputTail(1, noted, crash::complete);
  }

  /** A line of so many characters. */
  private static final class LongLine extends InputStream {
    private long leftBytes;

    LongLine(long bytes) {
      this.leftBytes = bytes;
    }

    @Override
    public int read() {
      throw new UnsupportedOperationException("one by one would take too long");
    }

    @Override
    public int read(byte[] bytes, int from, int length) {
      int read = (int) Math.min(length, leftBytes);
      Arrays.fill(bytes, from, from + read, (byte) 'x');
      leftBytes -= read;
      return read == 0 ? -1 : read;
    }
  }
}
