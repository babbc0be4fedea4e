package dev.conveyor.verticles.oip;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import java.util.Map;

/** Checks the parameters of a request. Thread-safe: no state. */
public final class Parameters {

  private Parameters() {}

  /** Returns an integer parameter, or 0 if it is absent. */
  public static long nonNegative(Map<String, Object> parameters, String key, long max) {
    Object value = parameters.get(key);
    if (value == null) {
      return 0;
    }
    // Integers beyond 64 bits arrive as another type, and must not wrap round.
    if (value instanceof Integer || value instanceof Long) {
      long found = ((Number) value).longValue();
      if (found >= 0 && found <= max) {
        return found;
      }
    }
    throw InferenceException.invalid(
        "parameter '%s' must be an integer from 0 to %d, was %s".formatted(key, max, value));
  }

  /** Refuses what would be wrong to ignore: state between requests. */
  public static void refuseSequences(Map<String, Object> parameters) {
    for (String key : parameters.keySet()) {
      if (key.startsWith("sequence_") && !isNone(parameters.get(key))) {
        throw new InferenceException(
            ErrorCode.UNSUPPORTED, "parameter '" + key + "': sequences are not supported");
      }
    }
  }

  /** Refuses what only a tensor can have, and what is refused for tensors too. */
  static void refuseForRequest(Map<String, Object> parameters) {
    refuseSequences(parameters);
    for (String key : parameters.keySet()) {
      if (key.startsWith("shared_memory_")) {
        throw new InferenceException(
            ErrorCode.UNSUPPORTED, "parameter '" + key + "' belongs to a tensor, not to a request");
      }
    }
  }

  /** Clients send these with neutral values even when they do not use sequences. */
  private static boolean isNone(Object value) {
    return Boolean.FALSE.equals(value)
        || "".equals(value)
        || (value instanceof Number number && number.longValue() == 0);
  }
}
