package dev.conveyor.verticles.bench.suite;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What the server adds to a real model with large inputs.
 *
 * <p>Not thread-safe: owned by the suite. Both rows come from one comparison: in-process, server,
 * in-process again, so that a machine that slows down meanwhile does not favour one side.
 */
final class SqueezenetRows {

  private static final int CONCURRENCY = 8;

  private final Lab lab;
  private final ServingServer server;
  private @Nullable Comparison comparison;

  SqueezenetRows(Lab lab, ServingServer server) {
    this.lab = lab;
    this.server = server;
  }

  /** The numbers behind both rows. */
  private record Comparison(
      InProcess direct, HttpLoad.Window server, Settling settling, String setting, String client) {

    double serverCpuSecondsPerInference() {
      return server.cpuSeconds() / server.models().get(0).requests();
    }

    String how(int threads) {
      return String.format(
          Locale.ROOT,
          "in-process (child JVM, %d threads x 1 intra-op, mean of before and after): %.1f inf/s,"
              + " %.3f CPU ms each; server (%s, %s -c%d, FP32 [1,3,224,224] binary): %.1f inf/s,"
              + " %.3f CPU ms each; %s",
          threads,
          direct.perSecond(),
          direct.cpuSecondsPerInference() * 1e3,
          setting,
          client,
          CONCURRENCY,
          server.models().get(0).perSecond(),
          serverCpuSecondsPerInference() * 1e3,
          settling.how());
    }
  }

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "squeezenet over HTTP, concurrency 8: CPU seconds per inference in-process / through"
                + " the server",
            Target.atLeast(0.92, ""),
            () -> {
              Comparison c = comparison();
              return new Measured(
                  c.direct().cpuSecondsPerInference() / c.serverCpuSecondsPerInference(),
                  c.how(lab.cores()));
            }),
        new SuiteRow(
            "squeezenet over HTTP, concurrency 8: throughput with the client on the same two cores"
                + " / in-process throughput",
            Target.atLeast(0.86, ""),
            () -> {
              Comparison c = comparison();
              return new Measured(
                  c.server().models().get(0).perSecond() / c.direct().perSecond(),
                  c.how(lab.cores()));
            }));
  }

  private Comparison comparison() throws Exception {
    Comparison known = comparison;
    if (known != null) {
      return known;
    }
    Path file = lab.modelFile(ServingServer.SQUEEZENET_FILE);
    InProcess before = InProcess.measure(lab, file, lab.cores());
    Served served = serve();
    InProcess after = InProcess.measure(lab, file, lab.cores());
    Comparison made =
        new Comparison(
            InProcess.mean(before, after),
            served.window(),
            served.settling(),
            "best setting: " + server.squeezenets().get(served.model()),
            served.client());
    comparison = made;
    return made;
  }

  /** What the server did with the best of the settings. */
  private record Served(HttpLoad.Window window, Settling settling, String model, String client) {}

  private Served serve() throws Exception {
    try (HttpLoad load = HttpLoad.on(lab, server.get())) {
      String best = best(load, List.copyOf(server.squeezenets().keySet()));
      Settling settling = load.settle(best, CONCURRENCY);
      return new Served(
          load.measure(List.of(best), CONCURRENCY, Duration.ZERO, lab.duration()),
          settling,
          best,
          load.client());
    }
  }

  /** Finds the setting with the highest throughput, each tried for a third of a window. */
  private String best(HttpLoad load, List<String> models) throws Exception {
    Duration each = lab.duration().dividedBy(3);
    String best = models.get(0);
    double bestPerSecond = 0;
    for (String model : models) {
      double perSecond =
          load.measure(List.of(model), CONCURRENCY, each, each).models().get(0).perSecond();
      if (perSecond > bestPerSecond) {
        bestPerSecond = perSecond;
        best = model;
      }
    }
    return best;
  }
}
