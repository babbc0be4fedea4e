package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.ModelLoadException;
import org.junit.jupiter.api.Test;

final class LoadErrorsTest {

  @Test
  void shouldNotBlameTheClientForLoadsThatTakeTooLong() {
    LoadTimeoutException slow = new LoadTimeoutException("too slow");
    assertThat(code(slow)).isEqualTo(ErrorCode.UNAVAILABLE);
    assertThat(code(new IllegalStateException("wrapped", slow))).isEqualTo(ErrorCode.UNAVAILABLE);
    assertThat(code(new ModelLoadException("bad file"))).isEqualTo(ErrorCode.INVALID_REQUEST);
    assertThat(LoadErrors.forClient("m", slow)).hasMessage("failed to load 'm': too slow");
  }

  private static ErrorCode code(Throwable failure) {
    return ((InferenceException) LoadErrors.forClient("m", failure)).code();
  }
}
