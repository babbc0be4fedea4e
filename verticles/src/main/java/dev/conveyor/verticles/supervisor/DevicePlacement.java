package dev.conveyor.verticles.supervisor;

import dev.conveyor.scheduler.placement.PlacementDriver;
import dev.conveyor.scheduler.placement.PlacementDriver.End;
import dev.conveyor.scheduler.placement.PlacementDriver.Move;
import dev.conveyor.scheduler.placement.PlacementPlanner.Settings;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.supervisor.SupervisorEvents.PlacementEnd;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves models between GPUs with their load, one step at a time. The decisions are those of {@link
 * PlacementDriver}; this feeds it every five seconds, on a thread of its own, and carries them out.
 *
 * <p>A step is a change of its model like a load or an unload, and takes its turn among them: what
 * has changed since the look makes it stale, and nothing is done. While an instance of a model is
 * lost or on its way, the model stays.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class DevicePlacement implements CrewWatch {

  private static final Logger LOG = LoggerFactory.getLogger(DevicePlacement.class);
  private static final long EVERY_MS = 5000;

  /** A step is not to be taken any more. */
  private static final class StaleException extends RuntimeException {
    private static final long serialVersionUID = 1;

    StaleException(String why) {
      super(why, null, false, false);
    }
  }

  private final Context context;
  private final ChangeQueues changes;
  private final DeviceMoves moves;
  private final SupervisorEvents events;
  private final FleetViews views;
  private final WorkerExecutor thread;

  /** Only on {@link #thread}: looks are taken while a move is under way, too. */
  private final PlacementDriver driver = new PlacementDriver(Settings.DEFAULT);

  private final Set<Crew> crews = new LinkedHashSet<>();
  private final Vertx vertx;
  private final long timer;
  private boolean looking;

  DevicePlacement(
      Vertx vertx,
      Context context,
      ChangeQueues changes,
      DeviceMoves moves,
      Sites sites,
      SupervisorEvents events) {
    this.vertx = vertx;
    this.context = context;
    this.changes = changes;
    this.moves = moves;
    this.events = events;
    this.views =
        new FleetViews(
            vertx, sites, crew -> isSettled(crew) && !changes.isBusy(crew.version.served().name()));
    this.thread = vertx.createSharedWorkerExecutor("placement", 1);
    this.timer = vertx.setPeriodic(EVERY_MS, id -> look(System.nanoTime()));
  }

  /** Looks at nothing any more by itself. */
  void close() {
    vertx.cancelTimer(timer);
  }

  /** Gives the thread back; nothing is looked at from then on. */
  Future<Void> end() {
    close();
    return thread.close();
  }

  @Override
  public void add(Crew crew) {
    crews.add(crew);
  }

  @Override
  public void remove(Crew crew) {
    crews.remove(crew);
  }

  /** Looks, and completes when the step that it called for has been taken. */
  Future<Void> look(long nowNs) {
    Promise<Void> done = Promise.promise();
    context.runOnContext(
        v -> {
          if (looking || crews.isEmpty()) {
            done.complete();
          } else {
            looking = true;
            views
                .look(crews, nowNs)
                .compose(view -> thread.executeBlocking(() -> driver.look(view)))
                .onComplete(looked -> looking = false)
                .compose(
                    move -> move.isPresent() ? take(move.get(), nowNs) : Future.succeededFuture())
                .onComplete(done);
          }
        });
    return done.future();
  }

  private Future<Void> take(Move move, long lookedNs) {
    long startNs = System.nanoTime();
    Future<Void> chain = Future.succeededFuture();
    for (String leaving : move.leaving()) {
      chain = chain.compose(v -> leave(leaving, move));
    }
    return chain
        .compose(v -> join(move))
        .transform(
            done -> {
              long tookNs = System.nanoTime() - startNs;
              End end = end(done.cause());
              if (end != End.DONE) {
                LOG.info(
                    "{} is not loaded onto {}: {}",
                    move.model(),
                    move.device(),
                    String.valueOf(done.cause()));
              }
              return ended(move, end, lookedNs + tookNs);
            })
        .otherwiseEmpty();
  }

  private Future<Void> ended(Move move, End end, long nowNs) {
    return thread
        .executeBlocking(
            () -> {
              driver.onEnd(move, end, nowNs);
              return true;
            })
        .mapEmpty();
  }

  private static End end(@Nullable Throwable failure) {
    return failure == null ? End.DONE : failure instanceof StaleException ? End.STALE : End.FAILED;
  }

  private Future<Void> leave(String key, Move move) {
    return step(
        key,
        crew -> crew.devices().contains(move.device()) && crew.devices().size() > 1,
        crew -> moves.leave(crew, move.device()),
        crew -> tell(crew, move, PlacementEnd.LEFT, "for " + move.model() + ": " + move.reason()));
  }

  private Future<Void> join(Move move) {
    return step(
        move.model(),
        crew -> !crew.devices().contains(move.device()),
        crew ->
            moves
                .join(crew, move.device())
                .onFailure(
                    failure ->
                        tell(
                            crew, move, PlacementEnd.FAILED, String.valueOf(failure.getMessage()))),
        crew -> tell(crew, move, PlacementEnd.LOADED, move.reason()));
  }

  private interface Step {
    Future<Void> take(Crew crew);
  }

  private interface Test {
    boolean holds(Crew crew);
  }

  private interface Told {
    void of(Crew crew);
  }

  /** Takes a step when it is its turn among the changes of its model, if it makes sense still. */
  private Future<Void> step(String key, Test possible, Step step, Told told) {
    Optional<Crew> found = find(key);
    if (found.isEmpty()) {
      return Future.failedFuture(new StaleException(key + " is gone"));
    }
    Crew crew = found.get();
    Supplier<Future<Void>> change =
        () ->
            crews.contains(crew) && isSettled(crew) && possible.holds(crew)
                ? crew.move(() -> step.take(crew)).onSuccess(v -> told.of(crew))
                : Future.failedFuture(new StaleException(key + " has changed since"));
    return changes.run(crew.version.served().name(), change);
  }

  private Optional<Crew> find(String key) {
    return crews.stream().filter(crew -> FleetViews.key(crew).equals(key)).findFirst();
  }

  private static boolean isSettled(Crew crew) {
    return crew.version.source().isPresent()
        && crew.isComplete()
        && !crew.isMoving()
        && !crew.isDisbanded();
  }

  private void tell(Crew crew, Move move, PlacementEnd end, String reason) {
    ServedModel served = crew.version.served();
    events.onPlaced(served.name(), served.version(), move.device(), end, reason);
    LOG.info("{}/{} {} {}: {}", served.name(), served.version(), end.verb(), move.device(), reason);
  }
}
