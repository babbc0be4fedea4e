package dev.conveyor.verticles.bench.suite;

import io.vertx.core.json.JsonArray;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Measures the rows of a suite, one after another, and writes what came out. Stateless. */
final class SuiteRunner {

  private SuiteRunner() {}

  /** Measures rows whose figure contains a text; one that fails does not stop the next. */
  static List<RowResult> run(Suite suite, String text, PrintWriter out) {
    List<RowResult> results = new ArrayList<>();
    for (SuiteRow row : suite.rows()) {
      if (!row.figure().contains(text)) {
        continue;
      }
      RowResult result = measure(row);
      print(result, out);
      results.add(result);
    }
    long holding = results.stream().filter(RowResult::holds).count();
    out.printf("%d of %d rows hold%n", holding, results.size());
    out.flush();
    return results;
  }

  static JsonArray json(List<RowResult> results) {
    JsonArray array = new JsonArray();
    results.forEach(result -> array.add(result.json()));
    return array;
  }

  private static RowResult measure(SuiteRow row) {
    try {
      Measured measured = row.measure().call();
      return Double.isFinite(measured.value())
          ? new RowResult(row.figure(), row.target(), measured.value(), measured.how())
          : new RowResult(row.figure(), row.target(), null, "no value came out: " + measured.how());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new RowResult(row.figure(), row.target(), null, "interrupted");
    } catch (Exception e) {
      String why =
          e instanceof CannotMeasureException && e.getMessage() != null
              ? e.getMessage()
              : e.toString();
      return new RowResult(row.figure(), row.target(), null, "cannot be measured here: " + why);
    }
  }

  private static void print(RowResult result, PrintWriter out) {
    out.printf(
        "%s  %s%n        value %s   target %s%n        %s%n",
        result.holds() ? "holds " : "MISSES",
        result.figure(),
        result.valueText(),
        result.target().text(),
        result.how().replace("\n", "\n        "));
    out.flush();
  }
}
