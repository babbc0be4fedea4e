package dev.conveyor.verticles;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HostMemory;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.models.process.Workers;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.scheduler.CoreBudget;
import dev.conveyor.scheduler.DeviceSpec;
import dev.conveyor.scheduler.LocalCodec;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.scheduler.SchedulerVerticle;
import dev.conveyor.scheduler.isolation.ExecutionLimit;
import dev.conveyor.verticles.bus.BusAddresses;
import dev.conveyor.verticles.bus.EventPublisher;
import dev.conveyor.verticles.bus.OverloadPublisher;
import dev.conveyor.verticles.bus.RolloutPublisher;
import dev.conveyor.verticles.ensemble.StepStage;
import dev.conveyor.verticles.http.HttpServices;
import dev.conveyor.verticles.image.ImageStage;
import dev.conveyor.verticles.isolation.IsolationJournal;
import dev.conveyor.verticles.metrics.LifecycleCounters;
import dev.conveyor.verticles.metrics.MetricsReport;
import dev.conveyor.verticles.page.LiveFigures;
import dev.conveyor.verticles.page.LivePage;
import dev.conveyor.verticles.profile.ProfileKeeper;
import dev.conveyor.verticles.profile.ProfileSnapshots;
import dev.conveyor.verticles.profile.ProfileStore;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import dev.conveyor.verticles.supervisor.CountedEvents;
import dev.conveyor.verticles.supervisor.DeviceLoads;
import dev.conveyor.verticles.supervisor.ModelLoader;
import dev.conveyor.verticles.supervisor.ModelSupervisor;
import dev.conveyor.verticles.supervisor.ProcessLoads;
import dev.conveyor.verticles.supervisor.Sites;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Puts a server together and takes it down again: scheduler, supervisor, front ends.
 *
 * <p>Thread-confined: started and stopped on one context. The Vert.x instance is the caller's, who
 * may have other verticles there; what was deployed here is undeployed here, from the outside in.
 */
public final class ConveyorServer {

  private static final String CPU = "CPU";

  private final Vertx vertx;
  private final ServerConfig config;
  private final ExecutionLimit executionLimit;
  private final Machine machine;
  private final ModelCatalog catalog = new ModelCatalog();
  private final MemoryBudget budget;
  private final GpuPlaces gpus;
  private final BufferPool requestMemory;
  private final SharedMemoryRegions regions;
  private final WorkerExecutor loaders;
  private final Workers workers;
  private final CoreBudget cores;
  private final ImageStage images;
  private final StepStage steps;
  private final IsolationJournal journal;
  private final LifecycleCounters lifecycle = new LifecycleCounters();
  private final ModelSupervisor supervisor;
  private final LocalGateway gateway;
  private final SystemSnapshots system;
  private final ProfileSnapshots profiles;
  private final OverloadEvents overloads;
  private final MetricsReport report;
  private final LivePage page;
  private final FrontEnds frontEnds;
  private @Nullable String scheduler;

  /**
   * Prepares a server.
   *
   * @param events told what happens to models, besides those who listen on the event bus
   * @throws IllegalStateException if this Vert.x instance hosts a server already
   */
  public ConveyorServer(Vertx vertx, ServerConfig config, SupervisorEvents events) {
    this(vertx, config, events, ExecutionLimit.DEFAULT);
  }

  /** Prepares a server with another patience for executions than {@link ExecutionLimit#DEFAULT}. */
  public ConveyorServer(
      Vertx vertx, ServerConfig config, SupervisorEvents events, ExecutionLimit executionLimit) {
    LocalCodec.registerAll(vertx);
    this.vertx = vertx;
    this.config = config;
    this.executionLimit = executionLimit;
    this.machine = Machine.find(config.devices().cpu());
    this.budget = new MemoryBudget(CPU, machine.memoryBudgetBytes());
    this.gpus = new GpuPlaces(config.devices().gpu(), budget);
    this.requestMemory = new BufferPool(gpus.requestMemory(), config.limits().requestMemoryBytes());
    this.regions = SharedMemoryRegions.system(config.limits().maxSharedMemoryRegions());
    this.loaders = vertx.createSharedWorkerExecutor("loader", machine.loaders());
    this.workers = new Workers(config.limits().loadTimeout(), config.isolation().spareWorkers());
    this.cores = new CoreBudget(machine.cores());
    long maxImagePixels = config.limits().maxImagePixels();
    this.images = new ImageStage(vertx, machine.cores(), cores, requestMemory, maxImagePixels);
    this.steps =
        new StepStage(vertx, machine.cores(), cores, requestMemory, maxImagePixels, gpus.all());
    this.journal =
        new IsolationJournal(
            vertx.eventBus(), BusAddresses.events(config.eventBus().addressPrefix()));
    workers.onSpareLost(journal::onSpareLost);
    this.supervisor = supervisor(events);
    gpus.onLost(
        (device, isolation) -> {
          journal.onDeviceLost(device, isolation);
          supervisor.onDeviceLost(device, isolation);
        });
    this.system = new SystemSnapshots(vertx, catalog, budget, machine, gpus, requestMemory);
    this.profiles = new ProfileSnapshots(vertx, catalog);
    this.overloads =
        new OverloadEvents(
            vertx,
            catalog,
            new OverloadPublisher(vertx.eventBus(), config.eventBus().addressPrefix()));
    this.report =
        new MetricsReport(
            catalog, system, journal::counts, lifecycle, workers::spares, HostMemory::nativeBytes);
    this.page =
        new LivePage(
            new LiveFigures(
                ServerInfo.VERSION, catalog, supervisor, system, profiles, NanoClock.SYSTEM));
    this.gateway =
        new LocalGateway(
            vertx,
            catalog,
            supervisor,
            steps,
            requestMemory,
            new RolloutPublisher(vertx.eventBus(), config.eventBus().addressPrefix()));
    InferenceGateway pinning = gpus.pinning(gateway, requestMemory, CPU);
    FrontDoor door = new FrontDoor(config.tenants(), NanoClock.SYSTEM, supervisor);
    MemoryReport memory =
        new MemoryReport(
            budget, gpus.ledgers(), gpus.pinned(), requestMemory, workers::spares, supervisor);
    this.frontEnds =
        new FrontEnds(
            vertx,
            config,
            new HttpServices(gateway, catalog, supervisor, door, requestMemory, memory, regions),
            pinning,
            report,
            page);
  }

  private ModelSupervisor supervisor(SupervisorEvents events) {
    ProcessLoads processes = ProcessLoads.find(workers);
    Sites sites = new Sites(budget, gpus.all());
    ModelLoader loader =
        new ModelLoader(
            new ModelRepository(config.modelRepository()),
            processes,
            sites,
            machine.cores(),
            new DeviceLoads(
                gpus.all(),
                gpus.notes(),
                GpuBackends.find(),
                processes,
                CPU,
                machine.cores(),
                config.devices().gpu().placement() == ServerConfig.Placement.PLANNED),
            images::of);
    journal.onLeftovers(
        workers.removedLeftovers() + loader.removedLeftovers(), loader.removedParts());
    return new ModelSupervisor(
        vertx,
        vertx.getOrCreateContext(),
        loaders,
        loader,
        catalog,
        new EventPublisher(
            vertx.eventBus(),
            config.eventBus().addressPrefix(),
            new CountedEvents(lifecycle, events)),
        sites,
        config.limits().maxQueueSize(),
        new ModelSupervisor.LoadLimits(machine.loaders(), config.limits().loadTimeout()),
        new ProfileKeeper(
            config.profiles().stored()
                ? Optional.of(new ProfileStore(ProfileStore.userCache()))
                : Optional.empty(),
            config.profiles().warmup(),
            NanoClock.SYSTEM),
        journal,
        this::trim);
  }

  /** Gives back what the requests of a model that has left needed at once, at most. */
  private void trim() {
    requestMemory.trim();
    HostMemory.trim();
  }

  /** Opens the ports, then loads the models. Completes when every load has ended, well or not. */
  public Future<Void> start() {
    return listen().compose(v -> supervisor.loadAll());
  }

  /** Opens the ports; the server is live, not ready. */
  public Future<Void> listen() {
    List<DeviceSpec> devices =
        gpus.with(DeviceSpec.cpu(CPU, machine.cores()), config.devices().gpu());
    SchedulerVerticle verticle =
        new SchedulerVerticle(
            devices, config.tenants(), NanoClock.SYSTEM, executionLimit, cores::computing);
    return vertx
        .deployVerticle(verticle)
        .onSuccess(id -> scheduler = id)
        .compose(id -> frontEnds.open())
        .onSuccess(v -> system.start())
        .onSuccess(v -> profiles.start())
        .onSuccess(v -> overloads.start());
  }

  /** Loads the models of the repository. */
  public Future<Void> loadModels() {
    return supervisor.loadAll();
  }

  /**
   * Stops: not ready any more, front ends finish what is in flight within the grace period, models
   * are unloaded, memory is returned. What is not finished shortly before the end of the grace
   * period is told so.
   */
  public Future<Void> stop() {
    supervisor.stopping();
    system.stop();
    profiles.stop();
    overloads.stop();
    long patienceMs = Math.max(1, config.shutdownGrace().toMillis() * 9 / 10);
    long answering =
        vertx.setTimer(
            patienceMs,
            id -> {
              gateway.answerAll();
              supervisor.answerWaiting();
            });
    return frontEnds
        .close()
        .eventually(supervisor::unloadAll)
        .eventually(this::undeployScheduler)
        .eventually(images::close)
        .eventually(steps::close)
        .eventually(loaders::close)
        .onComplete(
            done -> {
              vertx.cancelTimer(answering);
              workers.close();
              report.close();
              regions.close();
              requestMemory.close();
              gpus.close();
            });
  }

  /** Removes what outlives this process, where {@link #stop} does not end and the process must. */
  public void abandon() {
    workers.close();
  }

  /**
   * Shows a picture on the live page until another one comes. Callable from any thread.
   *
   * @param jpeg never changed
   */
  public void show(byte[] jpeg, String caption) {
    page.show(jpeg, caption);
  }

  public Machine machine() {
    return machine;
  }

  public GpuPlaces gpus() {
    return gpus;
  }

  public ModelCatalog catalog() {
    return catalog;
  }

  public RepositoryControl repository() {
    return supervisor;
  }

  /** Returns the ledger of the models' memory. */
  public MemoryBudget budget() {
    return budget;
  }

  /** Returns the memory of requests under way. */
  public BufferPool requestMemory() {
    return requestMemory;
  }

  public int httpPort() {
    return frontEnds.httpPort();
  }

  public int grpcPort() {
    return frontEnds.grpcPort();
  }

  public int metricsPort() {
    return frontEnds.metricsPort();
  }

  private Future<Void> undeployScheduler() {
    String deployed = scheduler;
    scheduler = null;
    return deployed == null ? Future.succeededFuture() : vertx.undeploy(deployed);
  }
}
