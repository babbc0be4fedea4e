package dev.conveyor.verticles.grpc;

/**
 * Where and how to listen.
 *
 * @param port 0 takes a free one
 * @param maxMessageBytes largest message taken, before and after inflating
 * @param maxInFlightPerStream inferences of one stream that may be under way before it is no longer
 *     read
 * @param maxConnections open at a time, on each event loop; more are closed at once
 * @param bodyTimeoutMillis longest time that a message may take to arrive, and that of a ModelInfer
 *     call from its beginning, and the headers of a connection's first call
 * @param idleMillis how long a connection may be without a call; it is closed after twice as long
 *     at most
 * @param shutdownGraceMillis how long calls under way may take once the server stops
 */
public record GrpcOptions(
    String host,
    int port,
    int maxMessageBytes,
    int maxInFlightPerStream,
    int maxConnections,
    long bodyTimeoutMillis,
    long idleMillis,
    long shutdownGraceMillis) {

  public static final int DEFAULT_MAX_MESSAGE_BYTES = 64 << 20;
  public static final int DEFAULT_MAX_IN_FLIGHT_PER_STREAM = 64;
  public static final long DEFAULT_BODY_TIMEOUT_MILLIS = 60_000;
  public static final long DEFAULT_IDLE_MILLIS = 300_000;
  public static final int DEFAULT_MAX_CONNECTIONS = 4096;
  public static final long DEFAULT_SHUTDOWN_GRACE_MILLIS = 10_000;

  public GrpcOptions {
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException("port must be within 0..65535, was " + port);
    }
    if (maxMessageBytes < 1) {
      throw new IllegalArgumentException("maxMessageBytes must be >= 1, was " + maxMessageBytes);
    }
    if (maxInFlightPerStream < 1) {
      throw new IllegalArgumentException(
          "maxInFlightPerStream must be >= 1, was " + maxInFlightPerStream);
    }
    if (maxConnections < 1) {
      throw new IllegalArgumentException("maxConnections must be >= 1, was " + maxConnections);
    }
    if (bodyTimeoutMillis < 1) {
      throw new IllegalArgumentException(
          "bodyTimeoutMillis must be >= 1, was " + bodyTimeoutMillis);
    }
    if (idleMillis < 1) {
      throw new IllegalArgumentException("idleMillis must be >= 1, was " + idleMillis);
    }
    if (shutdownGraceMillis < 0) {
      throw new IllegalArgumentException(
          "shutdownGraceMillis must be >= 0, was " + shutdownGraceMillis);
    }
  }

  /** Returns options with default limits. */
  public static GrpcOptions of(String host, int port) {
    return new GrpcOptions(
        host,
        port,
        DEFAULT_MAX_MESSAGE_BYTES,
        DEFAULT_MAX_IN_FLIGHT_PER_STREAM,
        DEFAULT_MAX_CONNECTIONS,
        DEFAULT_BODY_TIMEOUT_MILLIS,
        DEFAULT_IDLE_MILLIS,
        DEFAULT_SHUTDOWN_GRACE_MILLIS);
  }

  public GrpcOptions withMaxMessageBytes(int bytes) {
    return new GrpcOptions(
        host,
        port,
        bytes,
        maxInFlightPerStream,
        maxConnections,
        bodyTimeoutMillis,
        idleMillis,
        shutdownGraceMillis);
  }
}
