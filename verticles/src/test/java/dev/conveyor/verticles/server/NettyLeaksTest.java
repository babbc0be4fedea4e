package dev.conveyor.verticles.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import java.util.List;
import org.junit.jupiter.api.Test;

final class NettyLeaksTest {

  @Test
  void shouldHearOfABufferThatNobodyReleased() {
    ResourceLeakDetector.Level before = ResourceLeakDetector.getLevel();
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
    try (NettyLeaks leaks = NettyLeaks.listen()) {
      assertThat(leaks.reports()).isEmpty();
      for (int i = 0; i < 16; i++) {
        lose();
      }
      List<String> reports = leaks.reports();
      for (int i = 0; i < 100 && reports.isEmpty(); i++) {
        reports = leaks.reports();
      }
      assertThat(reports).isNotEmpty().first().asString().contains("release()");
    } finally {
      ResourceLeakDetector.setLevel(before);
    }
  }

  private static void lose() {
    assertThat(PooledByteBufAllocator.DEFAULT.directBuffer(32).capacity()).isEqualTo(32);
  }
}
