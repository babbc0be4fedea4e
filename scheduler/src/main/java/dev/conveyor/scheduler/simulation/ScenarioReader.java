package dev.conveyor.scheduler.simulation;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.conveyor.models.config.ConfigException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Reads a scenario from JSON, strictly: unknown, duplicate and misplaced keys are errors.
 * Stateless. The format is described in {@code docs/scheduling.md}.
 */
public final class ScenarioReader {

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);
  private static final double MOST = 1e9;

  private ScenarioReader() {}

  /**
   * Reads a file.
   *
   * @throws ConfigException that names file and key, what was expected and what was found
   */
  public static Scenario read(Path file) {
    try {
      Path parent = file.toAbsolutePath().getParent();
      return read(file.toString(), Files.readString(file), parent == null ? Path.of("") : parent);
    } catch (NoSuchFileException e) {
      throw new ConfigException("", "no such file").in(file.toString(), 0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads the text of {@code file}, which is for messages only. */
  public static Scenario read(String file, String json) {
    return read(file, json, Path.of(""));
  }

  /** Reads a text whose traces lie in a directory. */
  private static Scenario read(String file, String json, Path directory) {
    try {
      JsonBlock block = JsonBlock.of("", JSON.readTree(json));
      Scenario scenario = scenario(block, directory);
      block.requireNothingElse();
      return scenario;
    } catch (JsonProcessingException e) {
      int line = e.getLocation() == null ? 0 : e.getLocation().getLineNr();
      throw new ConfigException("", "not JSON: " + e.getOriginalMessage()).in(file, line);
    } catch (ConfigException e) {
      throw e.file().isEmpty() ? e.in(file, 0) : e;
    }
  }

  private static Scenario scenario(JsonBlock block, Path directory) {
    List<Scenario.Device> devices = devices(block);
    List<Scenario.Model> models = models(block, devices.size());
    List<Scenario.Fault> faults = new ArrayList<>();
    for (JsonBlock fault : block.blocks("faults")) {
      faults.add(fault(fault, devices.size()));
    }
    requireApart(faults);
    List<String> names = models.stream().map(Scenario.Model::name).toList();
    List<Scenario.Change> changes = new ArrayList<>();
    for (JsonBlock change : block.blocks("popularity_changes")) {
      changes.add(change(change, names));
    }
    requireAscending(changes);
    List<Scenario.Stretch> stretches = new ArrayList<>();
    for (JsonBlock stretch : block.blocks("interference")) {
      stretches.add(stretch(stretch, names));
    }
    Scenario.Arrivals arrivals = arrivals(block, models, directory);
    if (arrivals instanceof Scenario.Arrivals.Trace && !changes.isEmpty()) {
      throw new ConfigException(
          "popularity_changes",
          "none beside a trace, which says when each model gets its requests",
          changes.size());
    }
    requireMemory(devices, models);
    return new Scenario(
        block.text("name", null),
        block.text("description", ""),
        block.integer("seed", 0, Integer.MAX_VALUE, 1),
        seconds(block, "duration_seconds", 1e-3, Double.NaN),
        seconds(block, "warmup_seconds", 0, 0),
        block.number("rate_per_second", 1e-6, 1e12, 0),
        devices,
        models,
        arrivals,
        faults,
        changes,
        stretches);
  }

  private static List<Scenario.Device> devices(JsonBlock block) {
    List<Scenario.Device> devices = new ArrayList<>();
    for (JsonBlock group : block.blocks("devices")) {
      String name = group.text("name", null);
      int count = group.integer("count", 1, 10_000, 1);
      int slots = group.integer("slots", 1, 1_000, 1);
      double speed = group.number("speed", 1e-6, 1e6, 1);
      long memory = megabytes(group, "memory_megabytes", Long.MAX_VALUE);
      group.requireNothingElse();
      for (int i = 0; i < count; i++) {
        devices.add(new Scenario.Device(count == 1 ? name : name + "-" + i, slots, speed, memory));
      }
    }
    requireUnique("devices", devices.stream().map(Scenario.Device::name).toList());
    return devices;
  }

  private static List<Scenario.Model> models(JsonBlock block, int devices) {
    List<JsonBlock> groups = block.blocks("models");
    List<Scenario.Model> models = new ArrayList<>();
    for (JsonBlock group : groups) {
      String name = group.text("name", null);
      int count = group.integer("count", 1, 100_000, 1);
      long objectiveNs =
          Math.round(1e3 * group.number("latency_objective_microseconds", 1, 1e12, Double.NaN));
      int maxBatchSize = group.integer("max_batch_size", 1, 1 << 20, 0);
      double weight = group.number("weight", 1e-6, 1e6, 1);
      double popularity = group.number("popularity", 1e-9, MOST, 1);
      double zipf = group.number("zipf", 0, 10, 0);
      int spread = group.integer("devices_per_model", 1, devices, devices);
      JsonBlock profile = group.block("profile");
      CostCurve cost = cost(profile, maxBatchSize);
      double noise = profile.number("noise", 0, 3, 0);
      profile.requireNothingElse();
      long bytes = megabytes(group, "weights_megabytes", 0);
      long loadNs = Math.round(1e6 * group.number("load_milliseconds", 0, MOST, 0));
      group.requireNothingElse();
      for (int i = 0; i < count; i++) {
        int first = models.size() * spread;
        models.add(
            new Scenario.Model(
                count == 1 ? name : name + "-" + i,
                objectiveNs,
                weight,
                popularity / Math.pow(i + 1, zipf),
                cost,
                noise,
                IntStream.range(first, first + spread)
                    .map(device -> device % devices)
                    .sorted()
                    .boxed()
                    .toList(),
                bytes,
                loadNs));
      }
    }
    requireUnique("models", models.stream().map(Scenario.Model::name).toList());
    return models;
  }

  private static CostCurve cost(JsonBlock profile, int maxBatchSize) {
    if (!profile.has("points")) {
      double alpha = profile.number("alpha_microseconds", 0, 1e12, Double.NaN);
      double beta = profile.number("beta_microseconds", 0, 1e12, Double.NaN);
      return CostCurve.linear(alpha * 1e3, beta * 1e3, maxBatchSize);
    }
    double[][] points = profile.pairs("points");
    int[] sizes = new int[points[0].length];
    double[] costs = new double[sizes.length];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = (int) points[0][i];
      costs[i] = points[1][i] * 1e3;
      if (sizes[i] != points[0][i] || sizes[i] < 1) {
        throw new ConfigException(
            profile.path("points[" + i + "]"), "[batch size, microseconds]", points[0][i]);
      }
    }
    return CostCurve.through(sizes, costs, maxBatchSize);
  }

  private static Scenario.Arrivals arrivals(
      JsonBlock block, List<Scenario.Model> models, Path directory) {
    if (!block.has("arrivals")) {
      return new Scenario.Arrivals.Poisson();
    }
    JsonBlock arrivals = block.block("arrivals");
    String process =
        arrivals.oneOf(
            "process", List.of("poisson", "hyperexponential", "on_off", "curve", "trace"), null);
    Scenario.Arrivals read =
        switch (process) {
          case "hyperexponential" ->
              new Scenario.Arrivals.HyperExponential(arrivals.number("cv", 1.001, 100, Double.NaN));
          case "on_off" ->
              new Scenario.Arrivals.OnOff(
                  seconds(arrivals, "on_seconds", 1e-6, Double.NaN),
                  seconds(arrivals, "off_seconds", 1e-6, Double.NaN),
                  arrivals.number("off_fraction", 0, 1, 0.1));
          case "curve" -> curve(arrivals);
          case "trace" -> TraceReader.read(directory.resolve(arrivals.text("file", null)), models);
          default -> new Scenario.Arrivals.Poisson();
        };
    arrivals.requireNothingElse();
    return read;
  }

  private static Scenario.Arrivals curve(JsonBlock arrivals) {
    double[][] pairs = arrivals.pairs("points");
    List<Scenario.Arrivals.Curve.Point> points = new ArrayList<>();
    double highest = 0;
    for (int i = 0; i < pairs[0].length; i++) {
      highest = Math.max(highest, pairs[1][i]);
      points.add(new Scenario.Arrivals.Curve.Point(pairs[0][i] * 1e9, pairs[1][i]));
    }
    if (pairs[0][0] != 0 || highest == 0) {
      throw new ConfigException(
          arrivals.path("points"),
          "pairs [seconds, relative rate] from second 0 on, one rate above 0",
          "[%s, %s] first".formatted(pairs[0][0], pairs[1][0]));
    }
    return new Scenario.Arrivals.Curve(points);
  }

  private static Scenario.Fault fault(JsonBlock block, int devices) {
    String kind = block.oneOf("kind", List.of("lost", "slow_down", "stall"), null);
    Scenario.Fault fault =
        new Scenario.Fault(
            Scenario.Fault.Kind.valueOf(kind.toUpperCase(Locale.ROOT)),
            seconds(block, "at_seconds", 0, Double.NaN),
            seconds(block, "for_seconds", 1e-9, Double.NaN),
            block.integer("device", 0, devices - 1, -1),
            kind.equals("slow_down") ? block.number("factor", 1, 1e6, Double.NaN) : 1);
    block.requireNothingElse();
    return fault;
  }

  private static Scenario.Change change(JsonBlock block, List<String> models) {
    long atNs = seconds(block, "at_seconds", 0, Double.NaN);
    Scenario.Change change =
        block.has("rotate_places")
            ? new Scenario.Change.Rotation(
                atNs, block.integer("rotate_places", 1, Integer.MAX_VALUE, 0))
            : new Scenario.Change.Factor(
                atNs,
                models.indexOf(block.oneOf("model", models, null)),
                block.number("factor", 1e-6, 1e6, Double.NaN));
    block.requireNothingElse();
    return change;
  }

  private static Scenario.Stretch stretch(JsonBlock block, List<String> models) {
    Scenario.Stretch stretch =
        new Scenario.Stretch(
            models.indexOf(block.oneOf("model", models, null)),
            models.indexOf(block.oneOf("beside", models, null)),
            block.number("stretch", 1, 1e3, Double.NaN));
    block.requireNothingElse();
    return stretch;
  }

  /** The end of one would be taken for that of the other. */
  private static void requireApart(List<Scenario.Fault> faults) {
    for (int i = 1; i < faults.size(); i++) {
      for (int j = 0; j < i; j++) {
        if (faults.get(i).overlaps(faults.get(j))) {
          throw new ConfigException(
              "faults[" + i + "]",
              "another device, kind or time than faults[" + j + "]",
              faults.get(j).kind().name().toLowerCase(Locale.ROOT) + " twice at once");
        }
      }
    }
  }

  private static void requireAscending(List<Scenario.Change> changes) {
    for (int i = 1; i < changes.size(); i++) {
      if (changes.get(i).atNs() < changes.get(i - 1).atNs()) {
        throw new ConfigException(
            "popularity_changes[" + i + "].at_seconds",
            "not before the change before it",
            changes.get(i).atNs() / 1e9);
      }
    }
  }

  private static void requireMemory(List<Scenario.Device> devices, List<Scenario.Model> models) {
    for (int d = 0; d < devices.size(); d++) {
      long bytes = 0;
      for (Scenario.Model model : models) {
        bytes += model.devices().contains(d) ? model.bytes() : 0;
      }
      Scenario.Device device = devices.get(d);
      if (bytes > device.memoryBytes()) {
        throw new ConfigException(
            "models",
            "at most memory_megabytes=%d on %s at first"
                .formatted(device.memoryBytes() >> 20, device.name()),
            (bytes >> 20) + " megabytes of weights there");
      }
    }
  }

  /** Returns bytes. */
  private static long megabytes(JsonBlock block, String key, long byDefault) {
    return block.has(key) ? Math.round(block.number(key, 0, MOST, Double.NaN) * 0x1p20) : byDefault;
  }

  private static long seconds(JsonBlock block, String key, double min, double byDefault) {
    return Math.round(1e9 * block.number(key, min, MOST, byDefault));
  }

  private static void requireUnique(String key, List<String> names) {
    Set<String> seen = new HashSet<>();
    for (String name : names) {
      if (!seen.add(name)) {
        throw new ConfigException(key, "names that differ", name + " twice");
      }
    }
  }
}
