package dev.conveyor.verticles.bench.suite;

import java.util.ArrayList;
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
      List<Turns.Amount> together = new ArrayList<>();
      List<Turns.Amount> sums =
          Turns.run(
              lab,
              List.of(
                  (warmup, duration) ->
                      alone(load.measure(List.of(FIRST), CONCURRENCY, warmup, duration)),
                  (warmup, duration) ->
                      alone(load.measure(List.of(SECOND), CONCURRENCY, warmup, duration)),
                  (warmup, duration) -> {
                    HttpLoad.Window both =
                        load.measure(List.of(FIRST, SECOND), CONCURRENCY, warmup, duration);
                    together.add(amount(both.models().get(1)));
                    return amount(both.models().get(0));
                  }));
      double firstAlone = sums.get(0).rate();
      double secondAlone = sums.get(1).rate();
      double first = sums.get(2).rate();
      double second = together.stream().reduce(Turns.Amount::plus).orElseThrow().rate();
      return new Measured(
          first / firstAlone + second / secondAlone,
          String.format(
              Locale.ROOT,
              "%s -c%d per model, %d instances x 1 thread each, %d windows of each by turns; alone %s %.1f/s, %s %.1f/s;"
                  + " together %.1f/s and %.1f/s; value = %.1f/%.1f + %.1f/%.1f",
              load.client(),
              CONCURRENCY,
              lab.cores(),
              Turns.ROUNDS,
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

  private static Turns.Amount alone(HttpLoad.Window window) {
    return amount(window.models().get(0));
  }

  private static Turns.Amount amount(HttpLoad.Figures figures) {
    return new Turns.Amount(figures.requests(), figures.seconds());
  }
}
