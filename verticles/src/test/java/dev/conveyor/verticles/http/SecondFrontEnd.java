package dev.conveyor.verticles.http;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.process.Spares;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.LocalGateway;
import dev.conveyor.verticles.MemoryReport;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.PinnedLedger;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.server.TestServer;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import io.vertx.core.Future;
import io.vertx.ext.web.Router;
import java.util.List;
import java.util.function.Consumer;

/** Makes a front end for the models of a server beside its own, on a free port. */
final class SecondFrontEnd {

  private static final MemoryBudget CPU = new MemoryBudget("CPU", Long.MAX_VALUE);

  private static final RepositoryControl NO_REPOSITORY =
      new RepositoryControl() {
        @Override
        public Future<List<Entry>> index() {
          return Future.succeededFuture(List.of());
        }

        @Override
        public Future<Void> load(String name, ModelOverride override) {
          return Future.failedFuture("not here");
        }

        @Override
        public Future<Void> unload(String name, boolean dependents) {
          return Future.failedFuture("not here");
        }

        @Override
        public boolean isReady() {
          return true;
        }
      };

  private SecondFrontEnd() {}

  /**
   * Returns a front end that is still to be deployed.
   *
   * @param idleSeconds longest time that a connection may be without traffic
   * @param extraRoutes sees the router before the routes of the protocol are there
   */
  static HttpFrontEnd of(TestServer server, int idleSeconds, Consumer<Router> extraRoutes) {
    ModelCatalog catalog = server.server().catalog();
    HttpServices services =
        new HttpServices(
            new LocalGateway(server.vertx(), catalog),
            catalog,
            NO_REPOSITORY,
            new FrontDoor(Tenants.DEFAULT, NanoClock.SYSTEM),
            server.server().requestMemory(),
            new MemoryReport(
                CPU,
                List.of(),
                new PinnedLedger(CPU),
                server.server().requestMemory(),
                () -> new Spares(List.of(), 0),
                NO_REPOSITORY),
            SharedMemoryRegions.system(0));
    return new HttpFrontEnd(
        services,
        new HttpFrontEndOptions("127.0.0.1", 0, 1 << 20, 10, 8192, idleSeconds, 60_000, 1000),
        extraRoutes);
  }
}
