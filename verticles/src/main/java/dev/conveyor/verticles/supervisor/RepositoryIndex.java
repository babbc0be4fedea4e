package dev.conveyor.verticles.supervisor;

import dev.conveyor.verticles.RepositoryControl.Entry;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.supervisor.Deployer.Deployment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the repository's index says about each model.
 *
 * <p>Thread-confined: reads what the {@link ModelSupervisor} holds, on its context.
 */
final class RepositoryIndex {

  private static final String COLD = "cold: loads on the first request";

  private final Deployed deployed;
  private final EnsembleKeeper ensembles;
  private final Residents residents;
  private final Map<String, String> busy;
  private final Map<String, String> failures;

  /**
   * Creates an index of what these hold at any time.
   *
   * @param busy what is being done to a model
   * @param failures why its last load failed
   */
  RepositoryIndex(
      Deployed deployed,
      EnsembleKeeper ensembles,
      Residents residents,
      Map<String, String> busy,
      Map<String, String> failures) {
    this.deployed = deployed;
    this.ensembles = ensembles;
    this.residents = residents;
    this.busy = busy;
    this.failures = failures;
  }

  /** Returns a line for each version of what is there, and of {@code names}, in order of names. */
  List<Entry> entries(List<String> names) {
    Map<String, List<Entry>> entries = new TreeMap<>();
    for (String name : names) {
      entries.put(name, new ArrayList<>());
    }
    deployed.names().forEach(name -> entries.putIfAbsent(name, new ArrayList<>()));
    ensembles.names().forEach(name -> entries.putIfAbsent(name, new ArrayList<>()));
    entries.forEach((name, lines) -> lines.addAll(entriesOf(name)));
    return entries.values().stream().flatMap(List::stream).toList();
  }

  private List<Entry> entriesOf(String name) {
    List<Entry> lines = new ArrayList<>();
    for (Deployment deployment : deployed.of(name)) {
      lines.add(entry(deployment.served()));
    }
    ensembles.served(name).forEach(served -> lines.add(entry(served)));
    String state = busy.getOrDefault(name, "UNAVAILABLE");
    if (lines.isEmpty()) {
      String failure = failures.get(name);
      String reason = failure == null ? COLD : "cold: its last load failed: " + failure;
      residents
          .cold(name)
          .forEach(cold -> lines.add(new Entry(name, cold.version(), state, reason)));
    }
    if (lines.isEmpty()) {
      lines.add(new Entry(name, "", state, failures.getOrDefault(name, "unloaded")));
    }
    return lines;
  }

  private static Entry entry(ServedModel served) {
    return new Entry(
        served.name(),
        served.version(),
        served.isReady() ? "READY" : "UNAVAILABLE",
        served.instances().reason());
  }
}
