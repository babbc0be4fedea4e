package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import io.vertx.core.json.JsonObject;
import org.junit.jupiter.api.Test;

class StreamEventsTest {

  @Test
  void shouldSayWhyAFrameWasRefusedAndWhenToTryAgain() {
    InferenceException late =
        new InferenceException(ErrorCode.OVERLOADED, "too late", RefusalReason.DEADLINE, 1_500_000);

    String event = StreamEvents.error(7, late).toString();

    assertThat(event).startsWith("event: error\nid: 7\ndata: ").endsWith("\n\n");
    assertThat(new JsonObject(event.substring(event.indexOf('{'))))
        .isEqualTo(
            new JsonObject()
                .put("id", "7")
                .put("error", "too late")
                .put("status", 503)
                .put("reason", "deadline")
                .put("retry_after_ms", 1.5));
  }

  @Test
  void shouldSayNothingOfTheKindOfAnotherFailure() {
    String event = StreamEvents.fatal(InferenceException.invalid("no picture")).toString();

    assertThat(new JsonObject(event.substring(event.indexOf('{'))))
        .isEqualTo(new JsonObject().put("error", "no picture").put("status", 400));
  }
}
