package dev.conveyor.verticles.bench.direct;

/** Runs one batch after another. Thread-confined: created, used and closed by one thread. */
public interface DirectRunner extends AutoCloseable {

  /** Runs one batch and blocks until its outputs are there. */
  void run();

  @Override
  void close();
}
