package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.DoorTerms;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.TraceParent;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What the headers of a request say that matters before its body is read.
 *
 * @param tenant who asks; null if the headers do not say
 * @param timeoutNs how long the client waits; 0 for as long as it takes
 * @param deadlineNs when the client stops waiting
 * @param bytes of the body; -1 if the headers do not say
 * @param waitsForContinue the client sends the body only when it is told to
 * @param trace the client's {@link TraceParent}; empty if it sent none
 */
record RequestTerms(
    @Nullable String tenant,
    long timeoutNs,
    long deadlineNs,
    long bytes,
    boolean waitsForContinue,
    String trace) {

  private static final CharSequence TENANT = HttpHeaders.createOptimized(FrontDoor.TENANT_HEADER);
  private static final CharSequence TRACE = HttpHeaders.createOptimized(TraceParent.HEADER);
  private static final CharSequence TIMEOUT = HttpHeaders.createOptimized("x-timeout-ms");

  /** Longer timeouts are none: times compare by difference, which must not overflow. */
  private static final long LONGEST_MS = TimeUnit.DAYS.toMillis(365);

  /**
   * Reads the headers. What trace the request belongs to is put on its answer, whatever that is.
   *
   * @throws InferenceException INVALID_REQUEST if the timeout is malformed
   */
  static RequestTerms of(HttpServerRequest request) {
    String trace = TraceParent.of(request.getHeader(TRACE));
    if (!trace.isEmpty()) {
      request.response().putHeader(TRACE, trace);
    }
    long timeoutNs = timeoutNs(request.getHeader(TIMEOUT));
    return new RequestTerms(
        request.getHeader(TENANT),
        timeoutNs,
        timeoutNs == 0 ? InferenceRequest.NO_DEADLINE : System.nanoTime() + timeoutNs,
        contentLength(request.getHeader(HttpHeaders.CONTENT_LENGTH)),
        "100-continue".equalsIgnoreCase(request.getHeader(HttpHeaders.EXPECT)),
        trace);
  }

  /**
   * Returns what the front door may know; priority and {@code timeout} are in the body.
   *
   * @param tensorBytes of the body, at least
   */
  DoorTerms atDoor(long tensorBytes) {
    return new DoorTerms(tenant, tensorBytes, deadlineNs);
  }

  /**
   * Returns how many bytes of tensors the body holds at least; 0 if that is not known.
   *
   * @param headLength of the JSON before them. What is compressed is longer than it says, so the
   *     JSON may be all there seems to be.
   */
  long binaryBytes(int headLength) {
    return Math.max(0, bytes - headLength);
  }

  private static long timeoutNs(@Nullable String timeout) {
    if (timeout == null) {
      return 0;
    }
    try {
      long millis = Long.parseLong(timeout);
      if (millis > LONGEST_MS) {
        return 0;
      }
      if (millis > 0) {
        return TimeUnit.MILLISECONDS.toNanos(millis);
      }
    } catch (NumberFormatException e) {
      // Falls through to the same refusal.
    }
    throw InferenceException.invalid(
        "x-timeout-ms must be a positive number of milliseconds, was '" + timeout + "'");
  }

  private static long contentLength(@Nullable String value) {
    if (value == null) {
      return -1;
    }
    try {
      return Long.parseLong(value);
    } catch (NumberFormatException e) {
      return -1;
    }
  }
}
