package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.grpc.common.InvalidMessageException;
import io.vertx.grpc.common.MessageSizeOverflowException;
import io.vertx.grpc.server.GrpcServerResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends calls that failed, and gives every failure a code. Thread-safe: no state. */
final class GrpcErrors {

  private static final Logger LOG = LoggerFactory.getLogger(GrpcErrors.class);

  private GrpcErrors() {}

  /** Ends the call with the status and message of {@code failure}. */
  static void end(GrpcServerResponse<?, ?> response, InferenceException failure) {
    response.status(GrpcStatusMapping.of(failure.code()));
    String message = failure.getMessage();
    if (message != null) {
      response.statusMessage(message);
    }
    response.end();
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
