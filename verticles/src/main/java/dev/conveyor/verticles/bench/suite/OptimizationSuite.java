package dev.conveyor.verticles.bench.suite;

import java.util.ArrayList;
import java.util.List;

/**
 * What optimised models must show: accuracy kept, bytes and time saved.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite. But for the tuner, nothing is
 * served: models run in this process, in turns with what they are compared with, on one thread, and
 * ratios are of CPU time.
 */
final class OptimizationSuite implements Suite {

  private final Lab lab;

  OptimizationSuite(Lab lab) {
    this.lab = lab;
  }

  @Override
  public List<SuiteRow> rows() {
    DemoVariantRows variants = new DemoVariantRows(lab);
    List<SuiteRow> rows = new ArrayList<>(variants.rows());
    rows.addAll(new SharedVariantRows(lab).rows());
    rows.addAll(new TunerRows(lab, variants).rows());
    return rows;
  }

  @Override
  public void close() {
    lab.close();
  }
}
