package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class PatientLockTest {

  private static final Duration NONE = Duration.ZERO;
  private static final Duration ENDLESS = Duration.ofDays(1);

  @Test
  void shouldWaitForNobodyWhoHasHadItAloneForLongerThanThePatience() {
    PatientLock lock = new PatientLock(NONE);
    assertThat(lock.takeAlone()).isTrue();

    assertThat(elsewhere(lock::takeAlone)).isFalse();
    assertThat(elsewhere(lock::takeShared)).isFalse();

    lock.endAlone();
    assertThat(elsewhere(lock::takeAlone)).isTrue();
  }

  @Test
  void shouldWaitAsLongAsThereIsPatience() {
    PatientLock lock = new PatientLock(ENDLESS);
    assertThat(lock.takeAlone()).isTrue();
    CompletableFuture<Boolean> taken = new CompletableFuture<>();
    Thread waiting = new Thread(() -> taken.complete(lock.takeAlone()));
    waiting.start();
    while (waiting.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }

    lock.endAlone();

    assertThat(taken.join()).isTrue();
  }

  @Test
  void shouldWaitForWhoEndsForSure() {
    PatientLock lock = new PatientLock(NONE);
    assertThat(lock.takeAlone(ENDLESS)).isTrue();
    CompletableFuture<Boolean> taken = new CompletableFuture<>();
    Thread waiting = new Thread(() -> taken.complete(lock.takeShared()));
    waiting.start();
    while (waiting.isAlive() && waiting.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }

    lock.endAlone();

    assertThat(taken.join()).isTrue();
  }

  @Test
  void shouldBeSharedByThoseWhoDoNotNeedItAlone() {
    PatientLock lock = new PatientLock(NONE);
    assertThat(lock.takeShared()).isTrue();

    assertThat(elsewhere(lock::takeShared)).isTrue();
    assertThat(elsewhere(lock::takeAlone)).isFalse();
  }

  private static boolean elsewhere(BooleanSupplier take) {
    CompletableFuture<Boolean> taken = new CompletableFuture<>();
    new Thread(() -> taken.complete(take.getAsBoolean())).start();
    return taken.join();
  }
}
