package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferResponse;
import io.vertx.grpc.common.InvalidMessageException;
import io.vertx.grpc.common.MessageSizeOverflowException;
import io.vertx.grpc.server.GrpcServerResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends calls that failed, and gives every failure a code. Thread-safe: no state. */
final class GrpcErrors {

  private static final Logger LOG = LoggerFactory.getLogger(GrpcErrors.class);

  static final String RETRY_PUSHBACK = "grpc-retry-pushback-ms";
  static final String REFUSAL_REASON = "refusal-reason";

  /** The same where there are no trailers: parameters of the answer to one message of a stream. */
  static final String REASON_PARAMETER = "refusal_reason";

  static final String RETRY_PARAMETER = "retry_after_ms";

  private GrpcErrors() {}

  /**
   * Ends the call with the status and message of {@code failure}. When to try again is in the
   * trailer that gRPC's retry policies know; the reason is in one of our own.
   */
  static void end(GrpcServerResponse<?, ?> response, InferenceException failure) {
    response.status(GrpcStatusMapping.of(failure.code()));
    String message = failure.getMessage();
    if (message != null) {
      response.statusMessage(message);
    }
    if (failure.retryAfterNs() >= 0) {
      response.trailers().set(RETRY_PUSHBACK, Long.toString(retryAfterMs(failure)));
    }
    RefusalReason reason = failure.reason();
    if (reason != null) {
      response.trailers().set(REFUSAL_REASON, reason.label());
    }
    response.end();
  }

  /** Says the same in the answer to one message, for the stream goes on. */
  static ModelInferResponse.Builder explained(
      ModelInferResponse.Builder answer, InferenceException failure) {
    if (failure.retryAfterNs() >= 0) {
      answer.putParameters(
          RETRY_PARAMETER,
          InferParameter.newBuilder().setInt64Param(retryAfterMs(failure)).build());
    }
    RefusalReason reason = failure.reason();
    if (reason != null) {
      answer.putParameters(
          REASON_PARAMETER, InferParameter.newBuilder().setStringParam(reason.label()).build());
    }
    return answer;
  }

  private static long retryAfterMs(InferenceException failure) {
    return Math.max(1, (failure.retryAfterNs() + 999_999) / 1_000_000);
  }

  /** Returns {@code failure} as what a client may see; what is not meant for clients is logged. */
  static InferenceException of(Throwable failure) {
    if (failure instanceof InferenceException expected) {
      return expected;
    }
    LOG.error("a gRPC call failed for a reason that is not the client's", failure);
    return new InferenceException(ErrorCode.EXECUTION_FAILED, "internal error: " + failure);
  }

  /** Describes a message that was refused before it was read. */
  static InferenceException of(InvalidMessageException failure, int maxMessageBytes) {
    return failure instanceof MessageSizeOverflowException overflow
        ? new InferenceException(
            ErrorCode.TOO_LARGE,
            "Received message larger than max ("
                + overflow.messageSize()
                + " vs. "
                + maxMessageBytes
                + ")")
        : InferenceException.invalid("malformed message: " + failure.getMessage());
  }
}
