package dev.conveyor.verticles.oip;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import org.junit.jupiter.api.Test;

final class JsonErrorsTest {

  @Test
  void shouldSayWhereAnArrayBeganThatDoesNotEnd() {
    assertThat(told("{\"inputs\": ["))
        .isEqualTo(
            "failed to parse the request JSON: Unexpected end-of-input: expected close marker for"
                + " Array (start marker at line 1, column 12)");
  }

  @Test
  void shouldLeaveOtherMessagesAsTheyAre() {
    assertThat(told("<a/>"))
        .startsWith("failed to parse the request JSON: Unexpected character ('<'");
    assertThat(JsonErrors.unparsable(new IOException("gone")).getMessage())
        .isEqualTo("failed to parse the request JSON: gone");
  }

  private static String told(String json) {
    return JsonErrors.unparsable(catchThrowableOfType(IOException.class, () -> readAll(json)))
        .getMessage();
  }

  private static void readAll(String json) throws IOException {
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      while (parser.nextToken() != null) {
        // until it finds the fault
      }
    }
  }
}
