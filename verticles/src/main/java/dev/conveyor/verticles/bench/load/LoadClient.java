package dev.conveyor.verticles.bench.load;

import io.vertx.core.Future;

/**
 * Sends prepared requests to one model. Thread-confined: used by one event loop, on which the
 * returned futures complete.
 */
public interface LoadClient {

  /**
   * Sends request number {@code n}. Prepared requests are used in turn, so {@code n} counts on.
   *
   * @return completes when the whole answer is there; fails with a short message that is the same
   *     for failures of the same kind
   */
  Future<Void> send(int n);
}
