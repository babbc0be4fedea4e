package dev.conveyor.scheduler.simulation;

import dev.conveyor.models.config.ConfigException;
import dev.conveyor.scheduler.simulation.Scenario.Arrivals.Trace;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Reads a trace: text, a line {@code seconds,model} for each request in the order in which they
 * came. Empty lines, and those that begin with {@code #}, say nothing. Stateless.
 */
final class TraceReader {

  private TraceReader() {}

  /**
   * Reads a trace that begins at second 0.
   *
   * @param models by whose names the trace goes
   * @throws ConfigException that names file and line, what was expected and what was found
   */
  static Trace read(Path file, List<Scenario.Model> models) {
    Map<String, Integer> indices = new HashMap<>();
    for (int i = 0; i < models.size(); i++) {
      indices.put(models.get(i).name(), i);
    }
    List<String> lines;
    try {
      lines = Files.readAllLines(file, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new ConfigException("", "cannot be read: " + e).in(file.toString(), 0);
    }
    List<Trace.Arrival> requests = new ArrayList<>();
    double lastNs = 0;
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (!line.isEmpty() && !line.startsWith("#")) {
        try {
          Trace.Arrival arrival = arrival(line, indices, lastNs);
          requests.add(arrival);
          lastNs = arrival.atNs();
        } catch (ConfigException e) {
          throw e.in(file.toString(), i + 1);
        }
      }
    }
    if (requests.size() < 2 || lastNs == 0) {
      throw new ConfigException("", "two requests or more, not all in second 0", requests.size())
          .in(file.toString(), 0);
    }
    // The gap from the last request to the first of the next turn is the mean one.
    return new Trace(requests, lastNs + lastNs / (requests.size() - 1));
  }

  private static Trace.Arrival arrival(String line, Map<String, Integer> indices, double lastNs) {
    String[] fields = line.split(",", -1);
    if (fields.length != 2) {
      throw new ConfigException("", "seconds,model", line);
    }
    double atNs;
    try {
      atNs = 1e9 * Double.parseDouble(fields[0].strip());
    } catch (NumberFormatException e) {
      throw new ConfigException("seconds", "a number", fields[0]);
    }
    if (!(atNs >= lastNs) || Double.isInfinite(atNs)) {
      String least = String.format(Locale.ROOT, "at least %s, as in the line before", lastNs / 1e9);
      throw new ConfigException("seconds", least, fields[0]);
    }
    Integer model = indices.get(fields[1].strip());
    if (model == null) {
      throw new ConfigException("model", "a model of the scenario", fields[1]);
    }
    return new Trace.Arrival(atNs, model);
  }
}
