package dev.conveyor.scheduler.isolation;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.LateBytes;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.scheduler.profile.CostProfile;
import java.nio.ByteBuffer;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** The small policies of this package; time starts where {@code nanoTime} overflows. */
final class IsolationPoliciesTest {

  private static final long SECOND = 1000 * MS;

  private record Request(List<Tensor> inputs) implements BatchRequest {
    static Request of(int length, int marked, int mark) {
      ByteBuffer bytes = ByteBuffer.allocate(length);
      bytes.put(marked, (byte) mark);
      return new Request(List.of(Tensor.of("x", DataType.UINT8, Shape.of(1, length), bytes)));
    }

    @Override
    public int batchSize() {
      return 1;
    }
  }

  @Test
  void shouldTellInputsApartByEitherEndAndByLength() {
    long base = Fingerprint.of(Request.of(100_000, 0, 0));
    assertThat(Fingerprint.of(Request.of(100_000, 0, 0))).isEqualTo(base);
    assertThat(Fingerprint.of(Request.of(100_000, 4095, 1))).isNotEqualTo(base);
    assertThat(Fingerprint.of(Request.of(100_000, 99_999, 1))).isNotEqualTo(base);
    assertThat(Fingerprint.of(Request.of(99_999, 0, 0))).isNotEqualTo(base);
  }

  @Test
  void shouldRememberSuspectsForAMinute() {
    Suspects suspects = new Suspects();
    assertThat(suspects.isEmpty()).isTrue();
    suspects.add(Request.of(9, 0, 1), T0);
    assertThat(suspects.isEmpty()).isFalse();
    assertThat(suspects.contains(Request.of(9, 0, 1), T0 + 59 * SECOND)).isTrue();
    assertThat(suspects.contains(Request.of(9, 0, 2), T0 + 59 * SECOND)).isFalse();
    assertThat(suspects.contains(Request.of(9, 0, 1), T0 + 60 * SECOND)).isFalse();
    assertThat(suspects.isEmpty()).isTrue();
  }

  @Test
  void shouldBlameInputsThatCostThreeInstancesOnEnd() {
    Suspects suspects = new Suspects();
    Request killer = Request.of(9, 0, 1);
    assertThat(suspects.onLoss(killer, 1, "SIGSEGV", T0)).isFalse();
    assertThat(suspects.contains(killer, T0)).isTrue();
    assertThat(suspects.hasFailed(killer, T0)).isFalse();
    assertThat(suspects.onLoss(killer, 2, "SIGSEGV", T0)).isFalse();
    assertThat(suspects.refusal("m", killer, T0)).isNull();
    assertThat(suspects.onLoss(Request.of(9, 0, 2), 1, "SIGKILL", T0)).isFalse();
    assertThat(suspects.onLoss(killer, 1, "SIGBUS", T0)).isTrue();
    assertThat(suspects.refusal("m", killer, T0 + 59 * SECOND))
        .hasMessageContaining("'m'")
        .hasMessageContaining("3 times")
        .hasMessageContaining("SIGBUS")
        .extracting(InferenceException::code)
        .isEqualTo(ErrorCode.EXECUTION_FAILED);
    assertThat(suspects.refusal("m", Request.of(9, 0, 2), T0)).isNull();
    assertThat(suspects.refusal("m", killer, T0 + 60 * SECOND)).isNull();
  }

  @Test
  void shouldCountTheLossInCompanyThatAnotherAloneFollowed() {
    Suspects suspects = new Suspects();
    assertThat(suspects.onLoss(Request.of(9, 0, 1), 2, "SIGSEGV", T0)).isFalse();
    assertThat(suspects.onLoss(Request.of(9, 0, 1), 1, "SIGSEGV", T0)).isTrue();
  }

  @Test
  void shouldClearInputsByWhichNothingWasLostWhenTheyRanAlone() {
    Suspects suspects = new Suspects();
    Request innocent = Request.of(9, 0, 1);
    for (int i = 0; i < 3; i++) {
      assertThat(suspects.onLoss(innocent, 2, "SIGKILL", T0)).isFalse();
      suspects.onSuccess(innocent, T0);
      assertThat(suspects.isEmpty()).isTrue();
    }
    suspects.add(innocent, T0);
    assertThat(suspects.onLoss(innocent, 2, "SIGKILL", T0)).isFalse();
    suspects.onSuccess(innocent, T0);
    assertThat(suspects.onLoss(innocent, 2, "SIGKILL", T0)).isFalse();
    assertThat(suspects.hasFailed(innocent, T0)).as("which is no loss").isTrue();
  }

  @Test
  void shouldNotTakeInputsOffADeviceToRememberThem() {
    LateBytes untouchable =
        new LateBytes() {
          @Override
          public int sizeBytes() {
            return 9;
          }

          @Override
          public boolean isOnDevice() {
            return true;
          }

          @Override
          public ByteBuffer onHost() {
            throw new AssertionError("copied to the host");
          }

          @Override
          public ByteBuffer source() {
            return onHost();
          }

          @Override
          public LateBytes tryShare() {
            return this;
          }

          @Override
          public void close() {}
        };
    Request resident =
        new Request(List.of(Tensor.late("x", DataType.UINT8, Shape.of(1, 9), untouchable)));
    Suspects suspects = new Suspects();

    suspects.add(resident, T0);
    assertThat(suspects.isEmpty()).isTrue();
    suspects.add(Request.of(9, 0, 1), T0);
    assertThat(suspects.contains(resident, T0)).isFalse();
  }

  @Test
  void shouldForgetTheOldestSuspectWhenThereAreTooMany() {
    Suspects suspects = new Suspects();
    for (int i = 0; i <= 1024; i++) {
      suspects.add(Request.of(8 + i, 0, 1), T0 + i);
    }
    assertThat(suspects.contains(Request.of(8, 0, 1), T0 + 2000)).isFalse();
    assertThat(suspects.contains(Request.of(9, 0, 1), T0 + 2000)).isTrue();
  }

  @Test
  void shouldHalveTheCapAndRaiseItAgain() {
    BatchCap cap = new BatchCap();
    assertThat(cap.items(T0)).isEqualTo(BatchCap.NONE);
    cap.onOutOfMemory(32, T0);
    assertThat(cap.items(T0)).isEqualTo(16);
    cap.onOutOfMemory(16, T0);
    assertThat(cap.items(T0 + 29 * SECOND)).isEqualTo(8);
    assertThat(cap.items(T0 + 30 * SECOND)).isEqualTo(16);
    assertThat(cap.items(T0 + 60 * SECOND)).isEqualTo(BatchCap.NONE);
  }

  @Test
  void shouldTripAfterFiveFailuresInARow() {
    CircuitBreaker breaker = CircuitBreaker.closed();
    for (int i = 0; i < 4; i++) {
      assertThat(breaker.record(false)).isFalse();
    }
    assertThat(breaker.record(false)).isTrue();
    breaker.reset();
    assertThat(breaker.record(false)).isFalse();
  }

  @Test
  void shouldTripWhenHalfOfTheLastTwentyFailed() {
    CircuitBreaker breaker = CircuitBreaker.closed();
    for (int i = 0; i < 9; i++) {
      assertThat(breaker.record(false)).isFalse();
      assertThat(breaker.record(true)).isFalse();
    }
    assertThat(breaker.record(false)).isTrue();
  }

  @Test
  void shouldTripAtTheFirstFailureOnTrialOnly() {
    assertThat(CircuitBreaker.halfOpen().record(false)).isTrue();
    CircuitBreaker proved = CircuitBreaker.halfOpen();
    assertThat(proved.record(true)).isFalse();
    assertThat(proved.record(false)).isFalse();
  }

  @Test
  void shouldWaitLongerAfterEveryFailureAndForgiveInTheEnd() {
    Backoff backoff = new Backoff();
    long[] seconds = {0, 1, 2, 4, 8, 16, 32, 60, 60};
    long nowNs = T0;
    for (long expected : seconds) {
      assertThat(backoff.onFailure(nowNs, 0.5)).isEqualTo(expected * SECOND);
      nowNs += expected * SECOND;
    }
    assertThat(backoff.onFailure(nowNs, 1)).isCloseTo(72 * SECOND, within(10L));
    assertThat(backoff.onFailure(nowNs + 121 * SECOND, 0.5)).isZero();
  }

  @Test
  void shouldCutWithinTenTimesTheTailButNotMuchBeforeASecond() {
    CostProfile profile = new CostProfile();
    ExecutionLimit limit = ExecutionLimit.DEFAULT;
    assertThat(limit.ns(profile, 1, 0)).isEqualTo(30_000 * MS);
    for (int i = 0; i < 5; i++) {
      profile.record(1, MS);
      profile.record(8, 300 * MS);
    }
    assertThat(limit.ns(profile, 1, 0)).isEqualTo(900 * MS);
    assertThat(limit.ns(profile, 8, 2)).isCloseTo(2700 * MS, Offset.offset(MS));

    assertThat(new ExecutionLimit(30_000 * MS, 60_000 * MS).ns(profile, 8, 2))
        .as("a server that is more patient")
        .isEqualTo(60_000 * MS);
  }

  @Test
  void shouldGrantTenRetriesASecondAndAFifthOfTheSuccesses() {
    RetryBudget budget = new RetryBudget();
    for (int i = 0; i < 100; i++) {
      assertThat(budget.tryTake(T0)).isTrue();
    }
    assertThat(budget.tryTake(T0)).isFalse();
    assertThat(budget.tryTake(T0 + 100 * MS)).isTrue();
    budget.onSuccess(5);
    assertThat(budget.tryTake(T0 + 100 * MS)).isTrue();
    assertThat(budget.tryTake(T0 + 100 * MS)).isFalse();
  }
}
