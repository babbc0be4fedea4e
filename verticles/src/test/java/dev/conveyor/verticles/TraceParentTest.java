package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TraceParentTest {

  private static final String IDS = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  @ParameterizedTest
  @ValueSource(strings = {"00" + IDS, "cc" + IDS, "cc" + IDS + "-what.comes.later"})
  void shouldKeepWhatIsOne(String header) {
    assertThat(TraceParent.of(header)).isEqualTo(header);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "00",
        "ff" + IDS,
        "00" + IDS + "-more",
        "cc" + IDS + "more",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\r\nx: y"
      })
  void shouldIgnoreWhatIsNone(String header) {
    assertThat(TraceParent.of(header)).isEmpty();
  }

  @Test
  void shouldBoundWhatOthersAppend() {
    assertThat(TraceParent.of("cc" + IDS + "-" + "x".repeat(200))).isEmpty();
    assertThat(TraceParent.of(null)).isEmpty();
  }
}
