package dev.conveyor.verticles.bench.load;

import io.vertx.core.Future;
import io.vertx.core.Vertx;

/**
 * A protocol that load can be sent with. Thread-safe. Implementations beyond HTTP and gRPC are
 * found by {@link java.util.ServiceLoader}.
 */
public interface LoadProtocol {

  /** Returns the name on the command line, for example {@code http}. */
  String name();

  /** Returns the port to use when none is given, or 0 if the protocol has no ports. */
  int defaultPort();

  /** Prepares a connection. A protocol within this JVM starts its server here. */
  Future<LoadConnection> connect(Vertx vertx, LoadTarget target);
}
