package dev.conveyor.verticles.bus;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Failures on the event bus, which has a code and a text for them and nothing else: of a request
 * that was refused the text ends with the reason and, if it is known, when to try again, as in
 * {@code ... [reason=deadline, retry_after_ms=1901.2]}. Stateless.
 */
final class BusFailures {

  private static final Pattern REFUSED =
      Pattern.compile(
          "(.*) \\[reason=([a-z_]+)(?:, retry_after_ms=([0-9]{1,12}\\.[0-9]))?\\]", Pattern.DOTALL);

  private BusFailures() {}

  static String text(InferenceException failure) {
    RefusalReason reason = failure.reason();
    String message = String.valueOf(failure.getMessage());
    if (reason == null) {
      return message;
    }
    return failure.retryAfterNs() < 0
        ? "%s [reason=%s]".formatted(message, reason.label())
        : String.format(
            Locale.ROOT,
            "%s [reason=%s, retry_after_ms=%.1f]",
            message,
            reason.label(),
            failure.retryAfterNs() / 1e6);
  }

  /** Returns the failure that {@link #text} was made of, to a tenth of a millisecond. */
  static InferenceException parse(ErrorCode code, String text) {
    Matcher refused = REFUSED.matcher(text);
    RefusalReason reason = refused.matches() ? reason(refused.group(2)) : null;
    if (reason == null) {
      return new InferenceException(code, text);
    }
    String retryAfterMs = refused.group(3);
    return new InferenceException(
        code,
        refused.group(1),
        reason,
        retryAfterMs == null
            ? InferenceException.UNKNOWN
            : Math.round(Double.parseDouble(retryAfterMs) * 1e6));
  }

  private static @Nullable RefusalReason reason(String label) {
    for (RefusalReason reason : RefusalReason.values()) {
      if (reason.label().equals(label)) {
        return reason;
      }
    }
    return null;
  }
}
