package dev.conveyor.verticles;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HostMemory;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.process.Spares;
import dev.conveyor.scheduler.residency.ResidencyTable;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Who holds how much memory: the answer to {@code GET /v2/memory}. Thread-safe: no state of its
 * own.
 */
public final class MemoryReport {

  private final MemoryBudget budget;
  private final BufferPool requestMemory;
  private final RepositoryControl repository;
  private final List<MemoryBudget> gpus;
  private final PinnedLedger pinned;
  private final Supplier<Spares> spares;

  /**
   * Creates the report of a server.
   *
   * @param gpus ledgers of its GPUs
   * @param pinned memory of the host that is pinned for them
   * @param spares workers that have no model yet: in no ledger, since they may end at any time
   */
  public MemoryReport(
      MemoryBudget budget,
      List<MemoryBudget> gpus,
      PinnedLedger pinned,
      BufferPool requestMemory,
      Supplier<Spares> spares,
      RepositoryControl repository) {
    this.spares = spares;
    this.gpus = List.copyOf(gpus);
    this.pinned = pinned;
    this.budget = budget;
    this.requestMemory = requestMemory;
    this.repository = repository;
  }

  /**
   * Returns the report: per device the budget and, per model, bytes by kind as they are in the
   * ledger, and for models that may be evicted what is known about them; and who holds memory of
   * the host that is pinned for GPUs; and workers that have no model yet.
   */
  public Future<JsonObject> json() {
    return repository.memory().map(this::json);
  }

  private JsonObject json(RepositoryControl.Memory memory) {
    JsonObject device =
        new JsonObject()
            .put("name", budget.device())
            .put("budget_bytes", budget.capacityBytes())
            .put("reserved_bytes", budget.reservedBytes())
            .put("available_bytes", budget.availableBytes())
            .put("models", models(budget, memory))
            .put("cold_starts", memory.coldStarts())
            .put("evictions", memory.evictions());
    JsonArray devices = new JsonArray().add(device);
    for (MemoryBudget gpu : gpus) {
      devices.add(
          new JsonObject()
              .put("name", gpu.device())
              .put("budget_bytes", gpu.capacityBytes())
              .put("reserved_bytes", gpu.reservedBytes())
              .put("available_bytes", gpu.availableBytes())
              .put("models", holders(gpu)));
    }
    return new JsonObject()
        .put("devices", devices)
        .put("pinned", pinned())
        .put("requests", new JsonObject().put("leased_bytes", requestMemory.leasedBytes()))
        .put("process", new JsonObject().put("native_bytes", HostMemory.nativeBytes()))
        .put("spare_workers", spareWorkers());
  }

  private JsonArray spareWorkers() {
    JsonArray ready = new JsonArray();
    for (Spares.Spare spare : spares.get().ready()) {
      ready.add(new JsonObject().put("pid", spare.pid()).put("held_bytes", spare.heldBytes()));
    }
    return ready;
  }

  private JsonObject pinned() {
    Map<String, Long> holders = pinned.holders();
    JsonObject byOwner = new JsonObject();
    holders.forEach(byOwner::put);
    return new JsonObject()
        .put("held_bytes", holders.values().stream().mapToLong(Long::longValue).sum())
        .put("by_owner", byOwner);
  }

  private static JsonArray holders(MemoryBudget gpu) {
    JsonArray models = new JsonArray();
    held(gpu).forEach((name, kinds) -> models.add(model(name, kinds, null)));
    return models;
  }

  private static Map<String, Map<String, Long>> held(MemoryBudget ledger) {
    Map<String, Map<String, Long>> held = new TreeMap<>();
    ledger
        .holders()
        .forEach(
            (owner, bytes) -> {
              String model = owner.substring(0, Math.max(0, owner.indexOf('/')));
              String kind = owner.substring(owner.lastIndexOf('/') + 1);
              held.computeIfAbsent(model, m -> new TreeMap<>()).merge(kind, bytes, Long::sum);
            });
    return held;
  }

  private static JsonArray models(MemoryBudget ledger, RepositoryControl.Memory memory) {
    Map<String, Map<String, Long>> held = held(ledger);
    Map<String, ResidencyTable.Line> lines = new HashMap<>();
    memory
        .models()
        .forEach(
            line -> {
              lines.put(line.model(), line);
              held.computeIfAbsent(line.model(), m -> new TreeMap<>());
            });
    JsonArray models = new JsonArray();
    held.forEach((name, kinds) -> models.add(model(name, kinds, lines.get(name))));
    return models;
  }

  private static JsonObject model(
      String name, Map<String, Long> kinds, ResidencyTable.@Nullable Line line) {
    JsonObject bytes = new JsonObject();
    kinds.forEach(bytes::put);
    JsonObject model =
        new JsonObject()
            .put("name", name)
            .put("evictable", line != null)
            .put("state", line == null ? "RESIDENT" : line.state().name())
            .put("held_bytes", kinds.values().stream().mapToLong(Long::longValue).sum())
            .put("by_kind", bytes);
    if (line != null) {
      model
          .put("expected_bytes", line.bytes())
          .put("load_ms", line.loadNs() / 1_000_000)
          .put("request_share", line.requestShare());
    }
    return model;
  }
}
