package dev.conveyor.verticles.bench.suite;

import java.util.ArrayList;
import java.util.List;

/**
 * What the server must show as a server: its cost per request, its loss against running the model
 * in-process, fairness of two models, and memory that comes back.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class ServingSuite implements Suite {

  private final Lab lab;
  private final IdentityRows identity;

  ServingSuite(Lab lab) {
    this.lab = lab;
    this.identity = new IdentityRows(lab);
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(identity.rows());
    SqueezenetRows squeezenet = new SqueezenetRows(lab);
    for (SuiteRow row : squeezenet.rows()) {
      // The idle identity server would still take a little of the two cores.
      rows.add(new SuiteRow(row.figure(), row.target(), () -> alone(row)));
    }
    rows.add(new PairRow(lab).row());
    rows.add(new NativeMemoryRow(lab).row());
    return rows;
  }

  @Override
  public void close() {
    identity.close();
    lab.close();
  }

  private Measured alone(SuiteRow row) throws Exception {
    identity.close();
    return row.measure().call();
  }
}
