package dev.conveyor.verticles.bench.suite;

import java.util.List;
import java.util.Locale;

/**
 * Whether two models at once waste anything.
 *
 * <p>A model that has the share {@code s} of the machine gives {@code s} times its throughput
 * alone. So the parts {@code together / alone} of both models add up to 1 if nothing is lost,
 * however the machine was divided.
 */
final class PairRow {

  private static final String FIRST = "squeezenet";
  private static final String SECOND = "shufflenet";
  private static final int CONCURRENCY = 8;

  private final Lab lab;

  PairRow(Lab lab) {
    this.lab = lab;
  }

  SuiteRow row() {
    return new SuiteRow(
        "two models at once: total throughput / sum of each one's share alone",
        Target.atLeast(0.95, ""),
        this::measure);
  }

  private Measured measure() throws Exception {
    TestRepository repository = lab.repository();
    for (String model : List.of(FIRST, SECOND)) {
      repository.add(
          model, lab.modelFile(model + ".onnx"), TestRepository.config(8, lab.cores(), 1));
    }
    try (ServerProcess server = lab.startServer(repository, List.of());
        HttpLoad load = HttpLoad.on(lab, server)) {
      double firstAlone = alone(load, FIRST);
      double secondAlone = alone(load, SECOND);
      List<HttpLoad.Figures> together = load.measure(List.of(FIRST, SECOND), CONCURRENCY).models();
      double first = together.get(0).perSecond();
      double second = together.get(1).perSecond();
      return new Measured(
          first / firstAlone + second / secondAlone,
          String.format(
              Locale.ROOT,
              "%s -c%d per model, %d instances x 1 thread each; alone %s %.1f/s, %s %.1f/s;"
                  + " together %.1f/s and %.1f/s; value = %.1f/%.1f + %.1f/%.1f",
              load.client(),
              CONCURRENCY,
              lab.cores(),
              FIRST,
              firstAlone,
              SECOND,
              secondAlone,
              first,
              second,
              first,
              firstAlone,
              second,
              secondAlone));
    }
  }

  private static double alone(HttpLoad load, String model) throws Exception {
    return load.measure(List.of(model), CONCURRENCY).models().get(0).perSecond();
  }
}
