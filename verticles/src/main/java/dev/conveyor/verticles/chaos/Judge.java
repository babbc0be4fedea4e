package dev.conveyor.verticles.chaos;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Says what an answer is worth. Stateless.
 *
 * <p>A refusal is right only while a fault may have taken the model away, and only if it says so; a
 * request that was poisoned is told what is wrong with it.
 */
final class Judge {

  /** What a model says that has no instance, and one whose instance was lost. */
  private static final List<String> REFUSALS = List.of("is not ready", "may be sent again");

  private static final int TEXT_LENGTH = 300;

  /**
   * An answer as it came.
   *
   * @param headLength of the JSON before binary outputs
   */
  record Received(int status, @Nullable String headLength, Buffer body) {

    String text() {
      return body.toString(StandardCharsets.UTF_8);
    }
  }

  private Judge() {}

  /**
   * Judges the answer to a request that should be answered with what it holds.
   *
   * @param away whether a fault may have taken the model away meanwhile
   */
  static Answer sound(
      String model,
      float[] row,
      @Nullable Received response,
      @Nullable Throwable failure,
      boolean away) {
    if (response == null) {
      return Answer.lost("%s: no answer: %s".formatted(model, failure));
    } else if (response.status() == 200 && holds(response, row)) {
      return Answer.RIGHT;
    }
    return refusedOrWrong(model, response, away);
  }

  /** Judges the answer to a request that should fail alone, with this in its message. */
  static Answer poisoned(
      String model,
      String message,
      @Nullable Received response,
      @Nullable Throwable failure,
      boolean away) {
    if (response == null) {
      return Answer.lost("%s: no answer: %s".formatted(model, failure));
    } else if (response.status() >= 400 && response.text().contains(message)) {
      return Answer.OWN_ERROR;
    }
    return refusedOrWrong(model + ", poisoned", response, away);
  }

  private static Answer refusedOrWrong(String model, Received response, boolean away) {
    String text = response.status() == 200 ? "" : response.text().strip();
    if (away && response.status() == 503 && REFUSALS.stream().anyMatch(text::contains)) {
      return Answer.REFUSED;
    }
    return Answer.wrong(
        "%s: HTTP %d: %s"
            .formatted(
                model,
                response.status(),
                response.status() == 200
                    ? "outputs that are not its own"
                    : text.length() > TEXT_LENGTH ? text.substring(0, TEXT_LENGTH) : text));
  }

  private static boolean holds(Received response, float[] row) {
    Buffer body = response.body();
    String length = response.headLength();
    int from = length == null ? body.length() : Integer.parseInt(length);
    if (body.length() - from != Float.BYTES * row.length) {
      return false;
    }
    for (int i = 0; i < row.length; i++) {
      if (Float.compare(body.getFloatLE(from + Float.BYTES * i), row[i]) != 0) {
        return false;
      }
    }
    return true;
  }
}
