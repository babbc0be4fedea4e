package dev.conveyor.verticles.bench.suite;

import java.util.List;

/** Figures that belong together, measured in the order of the rows. Not thread-safe. */
public interface Suite extends AutoCloseable {

  List<SuiteRow> rows();

  /** Stops what the rows have started and deletes what they have written. */
  @Override
  void close();
}
