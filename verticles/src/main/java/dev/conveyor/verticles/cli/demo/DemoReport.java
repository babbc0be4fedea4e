package dev.conveyor.verticles.cli.demo;

import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.ServerInfo;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Prints what the demo found, in tables that fit 80 columns. Thread-safe: no state. */
public final class DemoReport {

  private static final String ROW = "  %-16s %-8s %-10s %10s %12s %11s  %s%n";

  private final PrintWriter out;

  public DemoReport(PrintWriter out) {
    this.out = out;
  }

  void started(ConveyorServer server, Path models, long tookNs) {
    print("%s %s: surface inspection%n", ServerInfo.NAME, ServerInfo.VERSION);
    print("  %s%n", server.machine());
    print(
        "  %d models from %s, ready after %.2f s%n",
        server.catalog().all().size(), models, tookNs / 1e9);
    print(
        "  listening: HTTP 127.0.0.1:%d, gRPC 127.0.0.1:%d, metrics 127.0.0.1:%d%n",
        server.httpPort(), server.grpcPort(), server.metricsPort());
    print("  live page: http://127.0.0.1:%d/%n%n", server.httpPort());
  }

  void inspected(List<Inspection> inspections, long correct, boolean accurate) {
    print(ROW, "image", "class", "predicted", "confidence", "defect area", "latency", "over");
    for (Inspection inspection : inspections) {
      Verdict verdict = inspection.verdict();
      print(
          ROW,
          inspection.image().file(),
          inspection.image().truth(),
          verdict.label() + (inspection.isCorrect() ? "" : " !"),
          format("%.3f", verdict.confidence()),
          format("%.2f %%", 100 * verdict.defectArea()),
          format("%.1f ms", inspection.latencyNs() / 1e6),
          inspection.protocol());
    }
    print(
        "%naccuracy: %d of %d images, %.1f %% (required: %.0f %%)%s%n",
        correct,
        inspections.size(),
        100.0 * correct / inspections.size(),
        100 * DemoPlan.REQUIRED_ACCURACY,
        accurate ? "" : ": TOO LOW");
  }

  void annotated(List<LineVerdict> verdicts, long correct, Path output) {
    long rejected = verdicts.stream().filter(verdict -> !verdict.passes()).count();
    int regions = verdicts.stream().mapToInt(verdict -> verdict.regions().size()).sum();
    print(
        "%ninspection line, one stream: %d passed, %d rejected, %d defects cropped and looked at"
            + " again%n  class right, by the crops: %d of %d%n  annotated pictures: %s%n",
        verdicts.size() - rejected, rejected, regions, correct, verdicts.size(), output);
  }

  void measured(PassResult alone, PassResult together) {
    print(
        "%nthe same images through both models, %d each way after as many to warm up:%n%n",
        alone.images());
    print("  %-28s %14s %14s %8s%n", "", "one at a time", "batched", "ratio");
    line("throughput, images/s", alone.imagesPerSecond(), together.imagesPerSecond(), "%.0f");
    for (double percentile : new double[] {50, 95, 99}) {
      line(
          format("latency p%.0f, ms", percentile),
          alone.latencyMs(percentile),
          together.latencyMs(percentile),
          "%.1f");
    }
    print(
        "%n  one at a time: one image per request, one request after the other%n"
            + "  batched: %d images per request, %d requests in flight, both models in parallel%n",
        DemoPlan.IMAGES_PER_REQUEST, 2 * DemoPlan.GROUPS_IN_FLIGHT);
  }

  void kept() {
    print("%nthe inspection line goes on, see the live page; Ctrl-C ends it%n");
  }

  void stopped() {
    print("%nserver stopped%n");
  }

  private void line(String figure, double alone, double together, String format) {
    print(
        "  %-28s %14s %14s %8s%n",
        figure, format(format, alone), format(format, together), format("%.2f", together / alone));
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  private void print(String format, Object... values) {
    out.print(format(format, values));
    out.flush();
  }
}
