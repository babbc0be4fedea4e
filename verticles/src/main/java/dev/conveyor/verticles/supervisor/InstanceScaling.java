package dev.conveyor.verticles.supervisor;

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
 * <p>The bounds are those of all devices together; a step is taken on one of the devices that the
 * version is on, where there is {@link InstanceRoom}. While an instance is lost or on its way
 * nothing is decided. A step that fails is not tried again for a minute.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class InstanceScaling implements CrewWatch {

  private static final Logger LOG = LoggerFactory.getLogger(InstanceScaling.class);
  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
  private static final long WINDOW_MS = 5000;
  private static final long AFTER_FAILURE_NS = 60_000_000_000L;

  private static final class Scaled {
    final Crew crew;
    final InstanceScaler scaler;
    @Nullable LoadFigures before;
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
  private final Sites sites;
  private final SupervisorEvents events;
  private final Map<Crew, Scaled> models = new LinkedHashMap<>();
  private final long timer;
  private @Nullable SchedulerSnapshot before;

  InstanceScaling(
      Vertx vertx, Context context, InstanceKeeper keeper, Sites sites, SupervisorEvents events) {
    this.vertx = vertx;
    this.context = context;
    this.keeper = keeper;
    this.sites = sites;
    this.events = events;
    this.timer = vertx.setPeriodic(WINDOW_MS, id -> look(System.nanoTime()));
  }

  /** Looks at nothing any more by itself. */
  void close() {
    vertx.cancelTimer(timer);
  }

  @Override
  public void add(Crew crew) {
    if (crew.version.plan().isElastic()) {
      models.put(crew, new Scaled(crew));
    }
  }

  @Override
  public void remove(Crew crew) {
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
    SchedulerSnapshot earlier = before;
    before = now;
    List<Future<Void>> steps = new ArrayList<>();
    for (Scaled scaled : models.values()) {
      ServedModel served = scaled.crew.version.served();
      for (SchedulerSnapshot.Model model : now.models()) {
        if (model.key().equals(served.key())) {
          LoadFigures figures = LoadFigures.of(now.takenNs(), model, served.stats());
          Optional<String> room = InstanceRoom.forOneMore(scaled.crew, sites, now, earlier);
          step(scaled, figures, room.isPresent(), nowNs)
              .flatMap(step -> take(scaled, step, room))
              .ifPresent(steps::add);
        }
      }
    }
    return steps.isEmpty() ? Future.succeededFuture() : Future.join(steps).mapEmpty();
  }

  private Optional<InstanceScaler.Step> step(
      Scaled scaled, LoadFigures figures, boolean room, long nowNs) {
    LoadFigures earlier = scaled.before;
    scaled.before = figures;
    if (earlier == null || scaled.crew.isMoving() || !scaled.crew.isComplete()) {
      return Optional.empty();
    }
    if (scaled.failed && scaled.failedNs == 0) {
      scaled.failedNs = nowNs;
    }
    scaled.failed = scaled.failed && nowNs - scaled.failedNs < AFTER_FAILURE_NS;
    Crew crew = scaled.crew;
    return scaled.scaler.onWindow(
        figures.since(
            earlier,
            instances(crew),
            crew.version.served().config().extensions().serviceLevel(),
            room && !scaled.failed),
        nowNs);
  }

  /** Returns how many there are, what comes and goes together counted as one. */
  private static int instances(Crew crew) {
    return crew.slots() / crew.version.plan().lanes();
  }

  /** Takes a step, if a device has room for it, or has an instance to spare. */
  private Optional<Future<Void>> take(
      Scaled scaled, InstanceScaler.Step step, Optional<String> room) {
    boolean up = step.instances() > instances(scaled.crew);
    return (up ? room : InstanceRoom.toSpare(scaled.crew))
        .map(device -> take(scaled, step, device, up));
  }

  private Future<Void> take(Scaled scaled, InstanceScaler.Step step, String device, boolean up) {
    Crew crew = scaled.crew;
    ServedModel served = crew.version.served();
    int from = instances(crew);
    int lanes = crew.version.plan().lanes();
    return crew.move(
            () -> up ? keeper.grow(crew, device, lanes) : keeper.shrink(crew, device, lanes))
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
        .otherwiseEmpty();
  }
}
