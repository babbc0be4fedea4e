package dev.conveyor.verticles.bus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class BusFailuresTest {

  @ParameterizedTest
  @EnumSource(RefusalReason.class)
  void shouldCarryReasonAndTimeInTheText(RefusalReason reason) {
    InferenceException sent =
        new InferenceException(ErrorCode.OVERLOADED, "too\nlate [so]", reason, 1_901_240_000);

    String text = BusFailures.text(sent);
    assertThat(text)
        .isEqualTo("too\nlate [so] [reason=" + reason.label() + ", retry_after_ms=1901.2]");
    InferenceException got = BusFailures.parse(sent.code(), text);
    assertThat(got).hasMessage("too\nlate [so]");
    assertThat(got.code()).isEqualTo(ErrorCode.OVERLOADED);
    assertThat(got.reason()).isEqualTo(reason);
    assertThat(got.retryAfterNs()).isEqualTo(1_901_200_000);
  }

  @Test
  void shouldCarryAReasonWithoutATime() {
    InferenceException sent =
        new InferenceException(
            ErrorCode.QUEUE_FULL,
            "no memory",
            RefusalReason.REQUEST_MEMORY,
            InferenceException.UNKNOWN);

    assertThat(BusFailures.text(sent)).isEqualTo("no memory [reason=request_memory]");
    InferenceException got = BusFailures.parse(sent.code(), BusFailures.text(sent));
    assertThat(got.reason()).isEqualTo(RefusalReason.REQUEST_MEMORY);
    assertThat(got.retryAfterNs()).isEqualTo(InferenceException.UNKNOWN);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "no such model",
        "odd [reason=nonsense]",
        "[reason=deadline, retry_after_ms=1.0] first",
        "odd [reason=deadline, retry_after_ms=9999999999999999.0]",
        ""
      })
  void shouldLeaveOtherTextsAsTheyAre(String text) {
    InferenceException got = BusFailures.parse(ErrorCode.NOT_FOUND, text);
    assertThat(got).hasMessage(text);
    assertThat(got.reason()).isNull();
  }
}
