package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.scheduler.occupancy.InstanceScaler;
import dev.conveyor.verticles.ServedModel;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves the number of instances of models between their bounds with the load, one step at a time.
 * The decisions are those of {@link InstanceScaler}; this feeds it every five seconds and carries
 * them out.
 *
 * <p>One more instance must have cores (its threads and those of the others at most as many as
 * there are, and the device not busy with other models already) and memory. While an instance is
 * lost or on its way nothing is decided. A step that fails is not tried again for a minute.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class InstanceScaling {

  private static final Logger LOG = LoggerFactory.getLogger(InstanceScaling.class);
  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
  private static final long WINDOW_MS = 5000;
  private static final long AFTER_FAILURE_NS = 60_000_000_000L;

  /** A device that is busier has nothing left for one more instance. */
  private static final double BUSY = 0.95;

  private static final class Scaled {
    final Crew crew;
    final InstanceScaler scaler;
    @Nullable LoadFigures before;
    boolean moving;
    boolean failed;
    long failedNs;

    Scaled(Crew crew) {
      this.crew = crew;
      this.scaler = new InstanceScaler(crew.version.plan().min(), crew.version.plan().max());
    }
  }

  private final Vertx vertx;
  private final Context context;
  private final InstanceKeeper keeper;
  private final MemoryBudget budget;
  private final SupervisorEvents events;
  private final Map<Crew, Scaled> models = new LinkedHashMap<>();
  private final long timer;
  private @Nullable SchedulerSnapshot before;

  InstanceScaling(
      Vertx vertx,
      Context context,
      InstanceKeeper keeper,
      MemoryBudget budget,
      SupervisorEvents events) {
    this.vertx = vertx;
    this.context = context;
    this.keeper = keeper;
    this.budget = budget;
    this.events = events;
    this.timer = vertx.setPeriodic(WINDOW_MS, id -> look(System.nanoTime()));
  }

  /** Looks at nothing any more by itself. */
  void close() {
    vertx.cancelTimer(timer);
  }

  /** Takes in a version that serves. */
  void add(Crew crew) {
    if (crew.version.plan().isElastic()) {
      models.put(crew, new Scaled(crew));
    }
  }

  void remove(Crew crew) {
    models.remove(crew);
  }

  /** Ends a window; completes when the steps that it called for have been taken. */
  Future<Void> look(long nowNs) {
    Promise<Void> done = Promise.promise();
    context.runOnContext(
        v -> {
          if (models.isEmpty()) {
            done.complete();
          } else {
            vertx
                .eventBus()
                .<SchedulerSnapshot>request(Addresses.SNAPSHOT, "", LOCAL)
                .compose(message -> onWindow(message.body(), nowNs))
                .onComplete(done);
          }
        });
    return done.future();
  }

  private Future<Void> onWindow(SchedulerSnapshot now, long nowNs) {
    double busy = before == null ? 0 : now.busyFraction(budget.device(), before);
    before = now;
    List<Future<Void>> steps = new ArrayList<>();
    for (Scaled scaled : models.values()) {
      ServedModel served = scaled.crew.version.served();
      for (SchedulerSnapshot.Model model : now.models()) {
        if (model.key().equals(served.key())) {
          LoadFigures figures = LoadFigures.of(now.takenNs(), model, served.stats());
          boolean cores = busy < BUSY && hasCores(scaled.crew, now);
          step(scaled, figures, cores, nowNs).ifPresent(step -> steps.add(take(scaled, step)));
        }
      }
    }
    return steps.isEmpty() ? Future.succeededFuture() : Future.join(steps).mapEmpty();
  }

  private Optional<InstanceScaler.Step> step(
      Scaled scaled, LoadFigures figures, boolean cores, long nowNs) {
    LoadFigures earlier = scaled.before;
    scaled.before = figures;
    if (earlier == null || scaled.moving || !scaled.crew.isComplete()) {
      return Optional.empty();
    }
    if (scaled.failed && scaled.failedNs == 0) {
      scaled.failedNs = nowNs;
    }
    scaled.failed = scaled.failed && nowNs - scaled.failedNs < AFTER_FAILURE_NS;
    Crew crew = scaled.crew;
    boolean fits = cores && !scaled.failed && oneMoreBytes(crew) <= budget.availableBytes();
    return scaled.scaler.onWindow(
        figures.since(
            earlier,
            crew.slots(),
            crew.version.served().config().extensions().serviceLevel(),
            fits),
        nowNs);
  }

  private Future<Void> take(Scaled scaled, InstanceScaler.Step step) {
    Crew crew = scaled.crew;
    ServedModel served = crew.version.served();
    int from = crew.slots();
    scaled.moving = true;
    Future<Void> taken = step.instances() > from ? keeper.grow(crew) : keeper.shrink(crew);
    return taken
        .onSuccess(
            v -> {
              LOG.info(
                  "{}/{}: {} instances instead of {}: {}",
                  served.name(),
                  served.version(),
                  step.instances(),
                  from,
                  step.reason());
              events.onScaled(
                  served.name(), served.version(), from, step.instances(), step.reason());
            })
        .onFailure(
            failure -> {
              scaled.failed = true;
              scaled.failedNs = 0;
              LOG.warn(
                  "{}/{}: stays at {} instances: {}",
                  served.name(),
                  served.version(),
                  from,
                  failure.getMessage());
            })
        .onComplete(done -> scaled.moving = false)
        .otherwiseEmpty();
  }

  private boolean hasCores(Crew crew, SchedulerSnapshot now) {
    int threads = (crew.slots() + 1) * crew.version.plan().threads();
    return now.devices().stream()
        .anyMatch(device -> device.name().equals(budget.device()) && threads <= device.capacity());
  }

  /** Weights are shared by the instances of a process; a process of its own has its own. */
  private long oneMoreBytes(Crew crew) {
    ServedModel served = crew.version.served();
    if (served.config().isolation() != Isolation.PROCESS) {
      return ModelFiles.slabBytes(served.signature());
    }
    String owner = served.name() + "/" + served.version() + "/";
    long held = 0;
    for (Map.Entry<String, Long> holder : budget.holders().entrySet()) {
      held += holder.getKey().startsWith(owner) ? holder.getValue() : 0;
    }
    return held / Math.max(1, crew.slots());
  }
}
