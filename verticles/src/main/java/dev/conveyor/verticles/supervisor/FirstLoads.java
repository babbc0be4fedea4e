package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.ModelMemory.Residency;
import dev.conveyor.verticles.ModelCatalog;
import io.vertx.core.Future;
import io.vertx.core.WorkerExecutor;
import java.util.ArrayList;
import java.util.List;

/**
 * What a server does with its repository when it starts: loads every model that is to be loaded
 * then, takes in the others, and then the ensembles that are made of them. A model that fails does
 * not stop the others.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class FirstLoads {

  /** Loads one model, after what is under way with it. */
  @FunctionalInterface
  interface Load {
    Future<Void> of(String name);
  }

  private final WorkerExecutor loaders;
  private final ModelLoader loader;
  private final EnsembleKeeper ensembles;
  private final BringUp bringUp;
  private final Residents residents;
  private final ModelCatalog catalog;
  private final SupervisorEvents events;
  private final MemoryBudget budget;
  private final Load load;

  /**
   * Creates it.
   *
   * @param budget ledger that a model which may wait for its first request must fit into
   */
  FirstLoads(
      WorkerExecutor loaders,
      ModelLoader loader,
      EnsembleKeeper ensembles,
      BringUp bringUp,
      Residents residents,
      ModelCatalog catalog,
      SupervisorEvents events,
      MemoryBudget budget,
      Load load) {
    this.loaders = loaders;
    this.loader = loader;
    this.ensembles = ensembles;
    this.bringUp = bringUp;
    this.residents = residents;
    this.catalog = catalog;
    this.events = events;
    this.budget = budget;
    this.load = load;
  }

  /** Completes when every load has ended, well or not. */
  Future<Void> run() {
    return loaders
        .executeBlocking(loader::names, false)
        .compose(
            names ->
                ensembles
                    .inOrder(names)
                    .compose(last -> models(names, last).compose(v -> inOrder(last))));
  }

  private Future<Void> models(List<String> names, List<String> ensemblesAmong) {
    List<Future<?>> loads = new ArrayList<>();
    for (String name : names) {
      if (!ensemblesAmong.contains(name)) {
        loads.add(begin(name).otherwiseEmpty());
      }
    }
    return loads.isEmpty() ? Future.succeededFuture() : Future.join(loads).mapEmpty();
  }

  private Future<Void> inOrder(List<String> names) {
    Future<Void> all = Future.succeededFuture();
    for (String name : names) {
      all = all.compose(v -> load.of(name).otherwiseEmpty());
    }
    return all;
  }

  private Future<Void> begin(String name) {
    return bringUp
        .survey(name, null)
        .transform(
            surveyed -> {
              Survey survey = surveyed.result();
              if (survey == null || survey.residency() == Residency.PINNED) {
                // What is wrong with the model the load tells.
                return load.of(name);
              }
              takeIn(name, survey);
              boolean fits = survey.expectedBytes() <= budget.availableBytes();
              return survey.residency() == Residency.RESIDENT && fits
                  ? load.of(name)
                  : Future.succeededFuture();
            });
  }

  private void takeIn(String name, Survey survey) {
    residents.register(name, survey.cold(), survey.expectedBytes());
    catalog.publish(name, survey.cold());
    events.onCold(name, survey.expectedBytes());
  }
}
