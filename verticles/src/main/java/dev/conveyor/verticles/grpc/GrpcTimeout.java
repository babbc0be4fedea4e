package dev.conveyor.verticles.grpc;

import dev.conveyor.models.InferenceException;
import java.util.concurrent.TimeUnit;

/** The {@code grpc-timeout} header: up to eight digits and a unit. Thread-safe: no state. */
final class GrpcTimeout {

  private static final int MAX_DIGITS = 8;

  private GrpcTimeout() {}

  /**
   * Returns the duration in nanoseconds.
   *
   * @throws InferenceException INVALID_REQUEST if it is malformed
   */
  static long parseNs(String header) {
    int digits = header.length() - 1;
    if (digits < 1 || digits > MAX_DIGITS) {
      throw malformed(header);
    }
    long value = 0;
    for (int i = 0; i < digits; i++) {
      int digit = header.charAt(i) - '0';
      if (digit < 0 || digit > 9) {
        throw malformed(header);
      }
      value = value * 10 + digit;
    }
    return unit(header).toNanos(value);
  }

  private static TimeUnit unit(String header) {
    return switch (header.charAt(header.length() - 1)) {
      case 'n' -> TimeUnit.NANOSECONDS;
      case 'u' -> TimeUnit.MICROSECONDS;
      case 'm' -> TimeUnit.MILLISECONDS;
      case 'S' -> TimeUnit.SECONDS;
      case 'M' -> TimeUnit.MINUTES;
      case 'H' -> TimeUnit.HOURS;
      default -> throw malformed(header);
    };
  }

  private static InferenceException malformed(String header) {
    return InferenceException.invalid("malformed grpc-timeout '" + header + "'");
  }
}
