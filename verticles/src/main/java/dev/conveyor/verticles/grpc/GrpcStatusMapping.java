package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import io.vertx.grpc.common.GrpcStatus;

/** How a failed request looks to a gRPC client. Thread-safe: no state. */
final class GrpcStatusMapping {

  private GrpcStatusMapping() {}

  /** Returns Triton's status for the same outcome, where it has one. */
  static GrpcStatus of(ErrorCode code) {
    // No default: adding an ErrorCode must break this build.
    return switch (code) {
      case INVALID_REQUEST -> GrpcStatus.INVALID_ARGUMENT;
      case NOT_FOUND -> GrpcStatus.NOT_FOUND;
      case ALREADY_EXISTS -> GrpcStatus.ALREADY_EXISTS;
      case UNAVAILABLE, QUEUE_FULL, SHUTTING_DOWN, OVERLOADED -> GrpcStatus.UNAVAILABLE;
      case DEADLINE_EXCEEDED, BODY_TIMEOUT -> GrpcStatus.DEADLINE_EXCEEDED;
      case CANCELLED -> GrpcStatus.CANCELLED;
      case EXECUTION_FAILED -> GrpcStatus.INTERNAL;
      case OUT_OF_MEMORY, TOO_LARGE, OVER_QUOTA -> GrpcStatus.RESOURCE_EXHAUSTED;
      case UNSUPPORTED -> GrpcStatus.UNIMPLEMENTED;
    };
  }
}
