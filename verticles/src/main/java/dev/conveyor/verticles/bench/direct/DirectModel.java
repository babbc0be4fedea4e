package dev.conveyor.verticles.bench.direct;

/** A model to measure in this process. Thread-safe, but closed once, after every runner. */
public interface DirectModel extends AutoCloseable {

  String name();

  /** Returns the inferences in one run. */
  int items();

  /** Opens a runner on the thread that will use it. */
  DirectRunner newRunner();

  @Override
  void close();
}
