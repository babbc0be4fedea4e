package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class EntranceTest {

  private final Entrance entrance = new Entrance();
  private final AtomicInteger told = new AtomicInteger();

  @Test
  void shouldTellAtOnceWhenNobodyIsInside() {
    assertThat(entrance.enter()).isTrue();
    entrance.leave();
    entrance.close(told::incrementAndGet);
    assertThat(told).hasValue(1);
    assertThat(entrance.enter()).isFalse();
  }

  @Test
  void shouldTellWhenTheLastLeaves() {
    assertThat(entrance.enter()).isTrue();
    assertThat(entrance.enter()).isTrue();
    entrance.close(told::incrementAndGet);
    assertThat(entrance.enter()).isFalse();
    entrance.leave();
    assertThat(told).hasValue(0);
    entrance.leave();
    assertThat(told).hasValue(1);
  }

  @Test
  void shouldTellOnceWhenManyComeAndGoWhileItCloses() throws InterruptedException {
    for (int round = 0; round < 200; round++) {
      Entrance busy = new Entrance();
      CountDownLatch empty = new CountDownLatch(1);
      AtomicInteger inside = new AtomicInteger();
      Thread visitor =
          new Thread(
              () -> {
                while (busy.enter()) {
                  inside.incrementAndGet();
                  inside.decrementAndGet();
                  busy.leave();
                }
              });
      visitor.start();
      AtomicInteger insideWhenTold = new AtomicInteger(-1);
      busy.close(
          () -> {
            insideWhenTold.set(inside.get());
            empty.countDown();
          });
      assertThat(empty.await(60, TimeUnit.SECONDS)).isTrue();
      assertThat(insideWhenTold).hasValue(0);
      visitor.join();
    }
  }
}
