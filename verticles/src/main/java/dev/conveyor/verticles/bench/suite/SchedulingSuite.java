package dev.conveyor.verticles.bench.suite;

import java.util.ArrayList;
import java.util.List;

/**
 * What the scheduler must show: against other policies under virtual time, and on real models
 * against the clock.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class SchedulingSuite implements Suite {

  private final Lab lab;
  private final SchedulerCpuRows cpu;
  private final RealRows real;

  SchedulingSuite(Lab lab) {
    this.lab = lab;
    this.cpu = new SchedulerCpuRows(lab);
    this.real = new RealRows(lab);
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(new SimulatedRows().rows());
    rows.add(
        new SuiteRow(
            "200 models, room for 20, Zipf: bytes loaded / the better of two heuristic"
                + " schedules that know the future",
            Target.atMost(1.15, ""),
            MemorySuite::misses));
    rows.addAll(DecisionRows.rows());
    rows.addAll(cpu.rows());
    rows.addAll(real.rows());
    rows.add(new VictimRow(lab).row());
    rows.addAll(new RefusalRow(lab).rows());
    return rows;
  }

  @Override
  public void close() {
    cpu.close();
    real.close();
    lab.close();
  }
}
