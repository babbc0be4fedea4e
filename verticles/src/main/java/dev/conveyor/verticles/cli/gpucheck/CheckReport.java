package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.verticles.ServerInfo;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Results for people and for programs. Immutable. */
record CheckReport(String device, List<CheckResult> results) {

  CheckReport {
    results = List.copyOf(results);
  }

  /** Returns one line for the console. */
  static String line(CheckResult result) {
    Finding finding = result.finding();
    String said =
        finding.figure().isEmpty() || finding.reason().isEmpty()
            ? finding.figure() + finding.reason()
            : finding.reason() + " (" + finding.figure() + ")";
    return String.format(
        Locale.ROOT,
        "%-20s %-9s %6.1f s  %s",
        result.name(),
        finding.outcome().name().toLowerCase(Locale.ROOT).replace('_', ' '),
        result.seconds(),
        said);
  }

  /** Returns how many ended how, in one line. */
  String summary() {
    List<String> counts = new ArrayList<>();
    for (Finding.Outcome outcome : Finding.Outcome.values()) {
      long count = results.stream().filter(r -> r.finding().outcome() == outcome).count();
      if (count > 0) {
        counts.add(count + " " + outcome.name().toLowerCase(Locale.ROOT).replace('_', ' '));
      }
    }
    return String.join(", ", counts);
  }

  boolean holds() {
    return results.stream().noneMatch(result -> result.finding().outcome().isBad());
  }

  JsonObject toJson() {
    JsonArray checks = new JsonArray();
    results.forEach(result -> checks.add(result.toJson()));
    return new JsonObject()
        .put("conveyor", ServerInfo.VERSION)
        .put("device", device)
        .put("holds", holds())
        .put("checks", checks);
  }

  String toMarkdown() {
    StringBuilder text = new StringBuilder();
    text.append("# gpu-check\n\n")
        .append(device)
        .append(", conveyor ")
        .append(ServerInfo.VERSION)
        .append(": ")
        .append(summary())
        .append(
            ".\n\n| check | result | figure | reason | what |\n| --- | --- | --- | --- | --- |\n");
    for (CheckResult result : results) {
      Finding finding = result.finding();
      text.append("| ")
          .append(result.name())
          .append(" | ")
          .append(finding.outcome().name().toLowerCase(Locale.ROOT).replace('_', ' '))
          .append(" | ")
          .append(cell(finding.figure()))
          .append(" | ")
          .append(cell(finding.reason()))
          .append(" | ")
          .append(cell(result.what()))
          .append(" |\n");
    }
    return text.toString();
  }

  private static String cell(String text) {
    return text.replace("|", "\\|").replace('\n', ' ');
  }
}
