package dev.conveyor.verticles.page;

import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.SystemSnapshot;
import dev.conveyor.verticles.page.ModelWindow.Point;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The figures of a server, as the page shows them.
 *
 * <p>Not thread-safe: owned by the event loop of the {@link LivePage}. The index of the repository
 * arrives asynchronously; the page shows the latest that came.
 */
public final class LiveFigures implements PageSource {

  /** Samples between two looks at the repository, which may read directories. */
  private static final int INDEX_EVERY = 3;

  private record Key(String name, String version) {}

  private final String version;
  private final ModelCatalog catalog;
  private final RepositoryControl repository;
  private final Supplier<SystemSnapshot> system;
  private final Supplier<Map<String, ModelProfile>> profiles;
  private final NanoClock clock;
  private final long startedNs;
  private final Map<Key, ModelWindow> windows = new HashMap<>();
  private volatile List<RepositoryControl.Entry> index = List.of();
  private int samples;

  /**
   * Creates figures of a server that starts now.
   *
   * @param version the server's
   * @param profiles what batches cost, by the key of the model in the scheduler
   */
  public LiveFigures(
      String version,
      ModelCatalog catalog,
      RepositoryControl repository,
      Supplier<SystemSnapshot> system,
      Supplier<Map<String, ModelProfile>> profiles,
      NanoClock clock) {
    this.version = version;
    this.catalog = catalog;
    this.repository = repository;
    this.system = system;
    this.profiles = profiles;
    this.clock = clock;
    this.startedNs = clock.nanoTime();
  }

  @Override
  public JsonObject sample() {
    long now = clock.nanoTime();
    if (samples++ % INDEX_EVERY == 0) {
      repository.index().onSuccess(entries -> index = List.copyOf(entries));
    }
    Map<Key, ServedModel> served = new HashMap<>();
    for (ServedModel model : catalog.all()) {
      served.put(new Key(model.name(), model.version()), model);
    }
    updateWindows(served, now);
    SystemSnapshot snapshot = system.get();
    return new JsonObject()
        .put(
            "server",
            new JsonObject()
                .put("version", version)
                .put("ready", repository.isReady())
                .put("uptimeSeconds", (now - startedNs) / 1_000_000_000L))
        .put("models", models(served, snapshot))
        .put("devices", devices(snapshot))
        .put("costs", CostFigures.of(catalog.all(), profiles.get()));
  }

  @Override
  public JsonObject history() {
    JsonArray models = new JsonArray();
    windows.forEach(
        (key, window) -> {
          JsonArray rates = new JsonArray();
          JsonArray p99s = new JsonArray();
          for (Point point : window.points()) {
            rates.add(round(point.perSecond()));
            p99s.add(round(point.p99Ms()));
          }
          models.add(
              new JsonObject()
                  .put("name", key.name)
                  .put("version", key.version)
                  .put("rates", rates)
                  .put("p99s", p99s));
        });
    return new JsonObject().put("models", models);
  }

  private void updateWindows(Map<Key, ServedModel> served, long now) {
    windows.keySet().retainAll(served.keySet());
    served.forEach(
        (key, model) -> {
          ModelWindow window = windows.get(key);
          if (window == null || !window.isOf(model.stats())) {
            windows.put(key, new ModelWindow(model.stats(), now));
          } else {
            window.sample(now);
          }
        });
  }

  private JsonArray models(Map<Key, ServedModel> served, SystemSnapshot snapshot) {
    Map<String, JsonObject> rows = new TreeMap<>();
    for (RepositoryControl.Entry entry : index) {
      Key key = new Key(entry.name(), entry.version());
      rows.put(order(key), row(key, entry.state(), entry.reason()));
    }
    windows.forEach(
        (key, window) -> {
          JsonObject row = rows.computeIfAbsent(order(key), k -> row(key, "READY", ""));
          addFigures(row, window);
          addObjective(row, window, served.get(key));
          addLoad(row, key, snapshot);
        });
    return new JsonArray(List.copyOf(rows.values()));
  }

  private static JsonObject row(Key key, String state, String reason) {
    return new JsonObject()
        .put("name", key.name)
        .put("version", key.version)
        .put("state", state)
        .put("reason", reason);
  }

  private static void addFigures(JsonObject row, ModelWindow window) {
    List<Point> points = window.points();
    row.put("perSecond", round(window.perSecond()))
        .put("failuresPerSecond", round(window.failuresPerSecond()))
        .put("p50Ms", orNull(window.quantileMs(0.50)))
        .put("p95Ms", orNull(window.quantileMs(0.95)))
        .put("p99Ms", orNull(window.quantileMs(0.99)))
        .put("meanBatch", orNull(window.meanBatch()));
    if (!points.isEmpty()) {
      Point latest = points.get(points.size() - 1);
      row.put("rate", round(latest.perSecond())).put("p99", round(latest.p99Ms()));
    }
  }

  private static void addObjective(
      JsonObject row, ModelWindow window, @Nullable ServedModel model) {
    if (model != null && model.objectiveNs() > 0) {
      row.put("objectiveMs", round(model.objectiveNs() / 1e6))
          .put("inObjective", downOrNull(window.shareInObjective()));
    }
  }

  private static void addLoad(JsonObject row, Key key, SystemSnapshot snapshot) {
    for (SystemSnapshot.Model model : snapshot.models()) {
      if (model.name().equals(key.name) && model.version().equals(key.version)) {
        row.put("queued", model.queuedRequests()).put("running", model.runningBatches());
      }
    }
    JsonArray instances = new JsonArray();
    for (SystemSnapshot.Instance i : snapshot.instances()) {
      if (i.model().equals(key.name) && i.version().equals(key.version)) {
        instances.add(
            new JsonObject()
                .put("index", i.index())
                .put("device", i.device())
                .put("state", i.state()));
      }
    }
    row.put("instances", instances);
  }

  private static JsonArray devices(SystemSnapshot snapshot) {
    JsonArray devices = new JsonArray();
    for (SystemSnapshot.Device device : snapshot.devices()) {
      JsonArray holders = new JsonArray();
      device.holderBytes().entrySet().stream()
          .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
          .forEach(
              holder ->
                  holders.add(
                      new JsonObject()
                          .put("owner", holder.getKey())
                          .put("bytes", holder.getValue())));
      JsonObject row = new JsonObject();
      SystemSnapshot.GpuLine gpu = device.gpu();
      if (gpu != null) {
        row.put("gpu", gpu(gpu));
      } else {
        row.put("cpu", cpu(device.cpu()));
      }
      devices.add(
          row.put("name", device.name())
              .put("kind", device.kind())
              .put("cores", device.cores())
              .put("busyFraction", round(device.busyFraction()))
              .put("memoryReservedBytes", device.memoryReservedBytes())
              .put("memoryCapacityBytes", device.memoryCapacityBytes())
              .put("holders", holders));
    }
    return devices;
  }

  private static JsonObject cpu(CpuFigures now) {
    JsonObject json = new JsonObject();
    now.utilization().ifPresent(v -> json.put("utilization", round(v)));
    now.powerWatts().ifPresent(v -> json.put("powerWatts", Math.round(v)));
    now.temperatureCelsius().ifPresent(v -> json.put("temperatureCelsius", v));
    return json;
  }

  private static JsonObject gpu(SystemSnapshot.GpuLine line) {
    JsonObject json =
        new JsonObject()
            .put("uuid", line.gpu().uuid())
            .put("product", line.gpu().name())
            .put("computeCapability", Gpus.version(line.gpu().computeCapability()))
            .put("lost", line.lost());
    line.figures()
        .ifPresent(
            now -> {
              now.utilization().ifPresent(v -> json.put("utilization", round(v)));
              now.smActivity().ifPresent(v -> json.put("smActivity", round(v)));
              now.memoryUsedBytes().ifPresent(v -> json.put("memoryUsedBytes", v));
              now.memoryTotalBytes().ifPresent(v -> json.put("memoryTotalBytes", v));
              now.powerWatts().ifPresent(v -> json.put("powerWatts", Math.round(v)));
              now.temperatureCelsius().ifPresent(v -> json.put("temperatureCelsius", v));
            });
    return json;
  }

  /** Orders by name, then by version as a number. */
  private static String order(Key key) {
    return key.name + '\0' + "0".repeat(Math.max(0, 19 - key.version.length())) + key.version;
  }

  private static @Nullable Double orNull(OptionalDouble value) {
    return value.isPresent() ? round(value.getAsDouble()) : null;
  }

  /** Down: only what is all of it shows as 1. */
  private static @Nullable Double downOrNull(OptionalDouble share) {
    return share.isPresent() ? Math.floor(share.getAsDouble() * 1000) / 1000 : null;
  }

  private static double round(double value) {
    return Math.round(value * 1000) / 1000.0;
  }
}
