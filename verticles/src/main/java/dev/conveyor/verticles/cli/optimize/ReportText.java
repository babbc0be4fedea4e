package dev.conveyor.verticles.cli.optimize;

import dev.conveyor.models.optimize.Report;
import dev.conveyor.models.optimize.VariantReport;
import dev.conveyor.models.optimize.evaluate.Scores;
import dev.conveyor.models.optimize.evaluate.Speed;
import dev.conveyor.verticles.bench.report.TextTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Writes a report for people. Stateless. */
public final class ReportText {

  private ReportText() {}

  /** Returns the lines of a report. */
  public static String of(Report report) {
    StringBuilder text = new StringBuilder();
    text.append("model    ").append(report.model()).append('\n');
    text.append("data     ").append(report.data()).append('\n');
    text.append(
        "speed    %d thread(s), variants in turns on this machine%n".formatted(report.threads()));
    if (!report.preparation().isEmpty()) {
      text.append("graph    ").append(String.join("; ", report.preparation())).append('\n');
    }
    text.append('\n').append(table(report)).append('\n').append(speed(report)).append('\n');
    for (VariantReport variant : report.variants()) {
      text.append(variant.name()).append(": ");
      text.append(
          variant.passes() ? "passes" : "does not pass: " + String.join("; ", variant.failures()));
      text.append('\n');
      variant.notes().forEach(note -> text.append("  ").append(note).append('\n'));
    }
    return text.toString();
  }

  private static String table(Report report) {
    String metric = report.scores().metric() + ", %";
    TextTable table =
        new TextTable(
            1,
            "variant",
            "bytes",
            "size",
            metric,
            "drop",
            "cosine",
            "same class",
            "max error",
            "worst rel.");
    table.add(row("original", report.bytes(), 1, report.scores(), 0));
    for (VariantReport v : report.variants()) {
      table.add(row(v.name(), v.model().length, v.sizeRatio(), v.scores(), v.drop()));
    }
    return table.format();
  }

  private static List<String> row(
      String name, long bytes, double size, Scores scores, double drop) {
    double same = scores.agreement().sameClass();
    return List.of(
        name,
        format("%,d", bytes),
        format("%.3f", size),
        format("%.2f", scores.percent()),
        format("%.2f", drop),
        format("%.5f", scores.agreement().meanCosine()),
        Double.isNaN(same) ? "-" : format("%.2f %%", 100 * same),
        format("%.3g", scores.agreement().maxError()),
        format("%.3g", scores.agreement().worstRelativeError()));
  }

  private static String speed(Report report) {
    TextTable table =
        new TextTable(1, "variant", "batch", "p50 ms", "p99 ms", "items/s", "speed-up");
    List<VariantReport> variants = report.variants();
    addSpeed(table, "original", report.speed());
    variants.forEach(v -> addSpeed(table, v.name(), v.speed()));
    return table.format();
  }

  private static void addSpeed(TextTable table, String name, List<Speed.Point> points) {
    for (Speed.Point point : points) {
      List<String> cells = new ArrayList<>();
      cells.add(name);
      cells.add(Integer.toString(point.batch()));
      cells.add(format("%.2f", point.medianNs() / 1e6));
      cells.add(format("%.2f", point.p99Ns() / 1e6));
      cells.add(format("%.1f", point.itemsPerSecond()));
      cells.add(format("%.2f", point.speedUp()));
      table.add(cells);
    }
  }

  private static String format(String format, Object value) {
    return String.format(Locale.ROOT, format, value);
  }
}
