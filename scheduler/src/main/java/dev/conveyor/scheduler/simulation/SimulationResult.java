package dev.conveyor.scheduler.simulation;

import java.util.List;

/**
 * What came of one run. Requests are those that arrived in the measured window; each of them is
 * exactly one of in time, late, refused and lost.
 *
 * @param windowNs length of the measured window
 * @param models in the order of the scenario
 * @param batches that started in the window
 * @param busySlotNs time that slots were busy with them
 * @param slots of all devices
 * @param loads of a model onto one more device, in the whole run
 */
public record SimulationResult(
    double ratePerSecond,
    long windowNs,
    List<Model> models,
    LatencyCounts latency,
    long batches,
    long batchedRequests,
    double busySlotNs,
    int slots,
    long loads) {

  public SimulationResult {
    models = List.copyOf(models);
  }

  /** What became of the requests of one model. */
  public record Model(
      String name, long arrived, long inTime, long late, long refused, long lost, double busyNs) {

    /** Returns the part of the requests that were not answered in time; 0 without requests. */
    public double badFraction() {
      return arrived == 0 ? 0 : (double) (arrived - inTime) / arrived;
    }
  }

  public long arrived() {
    return models.stream().mapToLong(Model::arrived).sum();
  }

  public long inTime() {
    return models.stream().mapToLong(Model::inTime).sum();
  }

  public long late() {
    return models.stream().mapToLong(Model::late).sum();
  }

  public long refused() {
    return models.stream().mapToLong(Model::refused).sum();
  }

  public long lost() {
    return models.stream().mapToLong(Model::lost).sum();
  }

  /** Returns the part of all requests that were late, refused or lost. */
  public double badFraction() {
    long arrived = arrived();
    return arrived == 0 ? 0 : (double) (arrived - inTime()) / arrived;
  }

  public double inTimePerSecond() {
    return inTime() * 1e9 / windowNs;
  }

  public double meanBatch() {
    return batches == 0 ? 0 : (double) batchedRequests / batches;
  }

  /** Returns the part of the slots' time that they were busy. */
  public double utilisation() {
    return busySlotNs / ((double) slots * windowNs);
  }
}
