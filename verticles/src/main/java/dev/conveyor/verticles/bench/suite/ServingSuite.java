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
  private final ServingServer server;

  ServingSuite(Lab lab) {
    this.lab = lab;
    this.server = new ServingServer(lab);
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(new IdentityRows(lab, server).rows());
    rows.addAll(new SqueezenetRows(lab, server).rows());
    // An idle server would still take a little of the two cores.
    rows.add(alone(new PairRow(lab).row()));
    rows.add(alone(new NativeMemoryRow(lab).row()));
    return rows;
  }

  @Override
  public void close() {
    server.close();
    lab.close();
  }

  private SuiteRow alone(SuiteRow row) {
    return new SuiteRow(
        row.figure(),
        row.target(),
        () -> {
          server.close();
          return row.measure().call();
        });
  }
}
