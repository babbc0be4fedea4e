package dev.conveyor.verticles;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.memory.cpu.CpuWatch;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.GpuFigures;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.verticles.metrics.SystemSnapshot;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Asks the scheduler twice a second what it holds, and keeps the answer for whoever shows figures.
 * Thread-safe: written on the context that started it, read from anywhere.
 */
final class SystemSnapshots implements Supplier<SystemSnapshot> {

  private static final long PERIOD_MS = 500;
  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final ModelCatalog catalog;
  private final MemoryBudget budget;
  private final Machine machine;
  private final GpuPlaces gpus;
  private final CpuWatch cpu = new CpuWatch();
  private final BufferPool requestMemory;
  private volatile SystemSnapshot latest = SystemSnapshot.EMPTY;
  private @Nullable SchedulerSnapshot before;
  private long timer = -1;

  SystemSnapshots(
      Vertx vertx,
      ModelCatalog catalog,
      MemoryBudget budget,
      Machine machine,
      GpuPlaces gpus,
      BufferPool requestMemory) {
    this.requestMemory = requestMemory;
    this.vertx = vertx;
    this.catalog = catalog;
    this.budget = budget;
    this.machine = machine;
    this.gpus = gpus;
  }

  void start() {
    cpu.start();
    timer = vertx.setPeriodic(PERIOD_MS, id -> ask());
  }

  void stop() {
    vertx.cancelTimer(timer);
    cpu.close();
  }

  @Override
  public SystemSnapshot get() {
    return latest;
  }

  private void ask() {
    vertx
        .eventBus()
        .<SchedulerSnapshot>request(Addresses.SNAPSHOT, "", LOCAL)
        .onSuccess(message -> take(message.body()));
  }

  private void take(SchedulerSnapshot now) {
    Map<String, SchedulerSnapshot.Model> byKey = new HashMap<>();
    now.models().forEach(model -> byKey.put(model.key(), model));
    List<SystemSnapshot.Model> models = new ArrayList<>();
    List<SystemSnapshot.Instance> instances = new ArrayList<>();
    for (ServedModel served : catalog.all()) {
      SchedulerSnapshot.Model model = byKey.get(served.key());
      if (model != null) {
        models.add(
            new SystemSnapshot.Model(
                served.name(), served.version(), model.queuedRequests(), model.running()));
        for (int i = 0; i < model.instances(); i++) {
          instances.add(
              new SystemSnapshot.Instance(
                  served.name(),
                  served.version(),
                  i,
                  served.instances().device(i, budget.device()),
                  i < model.running() ? "BUSY" : "IDLE"));
        }
      }
    }
    latest =
        new SystemSnapshot(
            models,
            instances,
            devices(now),
            new SystemSnapshot.Requests(requestMemory.leasedBytes(), requestMemory.maxBytes()));
    before = now;
  }

  private List<SystemSnapshot.Device> devices(SchedulerSnapshot now) {
    List<SystemSnapshot.Device> devices = new ArrayList<>();
    devices.add(device(now, budget, "CPU", machine.cores(), null, cpu.latest()));
    Map<Gpu, GpuFigures> figures = gpus.watch().latest();
    for (GpuPlace place : gpus.all()) {
      String lost = place.lost() == null ? place.givenUp() : place.lost();
      SystemSnapshot.GpuLine line =
          new SystemSnapshot.GpuLine(
              place.gpu(),
              Optional.ofNullable(figures.get(place.gpu())),
              lost == null ? "" : lost,
              place.directBytes(),
              place.stagedBytes());
      devices.add(device(now, place.budget(), "GPU", 0, line, CpuFigures.NONE));
    }
    return devices;
  }

  private SystemSnapshot.Device device(
      SchedulerSnapshot now,
      MemoryBudget ledger,
      String kind,
      int cores,
      SystemSnapshot.@Nullable GpuLine gpu,
      CpuFigures cpu) {
    double busy = before == null ? 0 : now.busyFraction(ledger.device(), before);
    return new SystemSnapshot.Device(
        ledger.device(),
        kind,
        cores,
        Math.max(0, Math.min(1, busy)),
        ledger.reservedBytes(),
        ledger.capacityBytes(),
        ledger.holders(),
        gpu,
        cpu);
  }
}
