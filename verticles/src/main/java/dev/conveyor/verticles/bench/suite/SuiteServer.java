package dev.conveyor.verticles.bench.suite;

import org.jspecify.annotations.Nullable;

/**
 * A server that rows share: started for the first of them that is measured.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class SuiteServer implements AutoCloseable {

  /** Starts the server. */
  interface Start {
    ServerProcess start() throws Exception;
  }

  private final Start start;
  private @Nullable ServerProcess server;

  SuiteServer(Start start) {
    this.start = start;
  }

  /** Returns the server; starts it at the first call. */
  ServerProcess get() throws Exception {
    ServerProcess running = server;
    if (running == null) {
      running = start.start();
      server = running;
    }
    return running;
  }

  @Override
  public void close() {
    if (server != null) {
      server.close();
      server = null;
    }
  }
}
