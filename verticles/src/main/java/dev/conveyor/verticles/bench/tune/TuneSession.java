package dev.conveyor.verticles.bench.tune;

import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.InstanceGroup;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.repository.ModelDirectory;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Measurement;
import dev.conveyor.models.tune.Meter;
import dev.conveyor.models.tune.Objective;
import dev.conveyor.models.tune.Prior;
import dev.conveyor.models.tune.SearchSpace;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.models.tune.SuccessiveHalving;
import dev.conveyor.models.tune.TuneResult;
import dev.conveyor.models.tune.TunedConfig;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior.Costs;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior.Kernel;
import io.vertx.core.buffer.Buffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * One model to be tuned on this machine. Not thread-safe: owned by the thread that tunes, which it
 * blocks.
 */
public final class TuneSession {

  /** Without a batch size in the configuration, batches up to this are tried. */
  private static final int USUAL_BATCH = 16;

  private final ModelDirectory directory;
  private final ModelConfig config;
  private final int cores = Runtime.getRuntime().availableProcessors();
  private final Set<Kernel> unusable = new HashSet<>();

  private TuneSession(ModelDirectory directory, ModelConfig config) {
    this.directory = directory;
    this.config = config;
  }

  /**
   * Opens a model's directory in a repository.
   *
   * @throws ConfigException if its configuration cannot be used, or it cannot be tuned
   * @throws dev.conveyor.models.repository.RepositoryException if there is no such model
   * @throws ModelLoadException if its file cannot be used
   */
  public static TuneSession open(Path modelDirectory) {
    Path path = modelDirectory.toAbsolutePath().normalize();
    Path root = path.getParent();
    if (root == null) {
      throw new IllegalArgumentException(modelDirectory + " is not in a repository");
    }
    ModelDirectory directory = new ModelRepository(root).open(String.valueOf(path.getFileName()));
    ModelConfig written = directory.readConfig();
    if (written.isEnsemble()) {
      throw new ConfigException(
              "ensemble_scheduling", "an ensemble has no settings of its own; tune its models")
          .in(path.toString(), 0);
    }
    if (!written.extensions().rollout().isNone()) {
      throw new ConfigException("conveyor.rollout", "a version is on trial; end that before tuning")
          .in(path.toString(), 0);
    }
    List<Long> served = directory.served(written);
    Path file = directory.modelFile(served.get(served.size() - 1), written);
    Backend backend = new OnnxBackend();
    Declared declared =
        backend
            .declared(file)
            .orElseThrow(() -> new ModelLoadException(file + ": not an ONNX model"));
    return new TuneSession(
        directory, directory.complete(written, declared.inputs(), declared.outputs()).config());
  }

  public String model() {
    return directory.name();
  }

  public TunedConfig tunedConfig() {
    return TunedConfig.of(directory.path(), config.batches());
  }

  /** Returns the settings as they are. */
  public Setting baseline() {
    List<Long> served = directory.served(config);
    return new Setting(
        Math.max(1, config.instanceGroups().stream().mapToInt(InstanceGroup::count).sum()),
        config.extensions().intraOpThreads(),
        config.extensions().idleIntraOpThreads(),
        config.maxBatchSize(),
        config.dynamicBatching().map(b -> b.maxQueueDelay().toNanos() / 1000).orElse(0L),
        served.get(served.size() - 1),
        config.parameters().getOrDefault(OnnxBackend.PROVIDER_PARAMETER, Setting.CPU));
  }

  /** Returns what is tried unless the user says otherwise. */
  public SearchSpace usualSpace() {
    List<Integer> perCore = SearchSpace.doubling(cores);
    return new SearchSpace(
        perCore,
        perCore,
        hasIdleThreads() ? List.of(0, cores) : List.of(0),
        config.batches()
            ? SearchSpace.doubling(Math.max(config.maxBatchSize(), USUAL_BATCH))
            : List.of(config.maxBatchSize()),
        List.of(0L, 1000L),
        directory.versions(),
        OnnxBackend.providers(),
        cores);
  }

  /** They cost a second session in the server's own process, and make a difference on CPUs only. */
  private boolean hasIdleThreads() {
    return cores > 1
        && config.isolation() != Isolation.PROCESS
        && config.instanceGroups().stream().noneMatch(g -> g.kind() == InstanceGroup.Kind.KIND_GPU);
  }

  /**
   * Returns what the simulator thinks of settings, after it has measured single batches of every
   * kernel they use. Kernels that cannot run the model are worth nothing.
   */
  public Prior prior(
      SearchSpace space, Objective objective, LoadShape load, Consumer<String> progress) {
    int largest = CostMeter.largest(space, config.maxBatchSize());
    Map<Kernel, Costs> costs = new HashMap<>();
    for (Kernel kernel : kernels(space)) {
      progress.accept(
          "batches of version %d on %s with %d threads"
              .formatted(kernel.version(), kernel.provider(), kernel.threads()));
      try {
        Path file = directory.modelFile(kernel.version(), config);
        KernelCheck.require(file, kernel, largest);
        costs.put(kernel, CostMeter.measure(file, kernel, largest));
      } catch (RuntimeException e) {
        unusable.add(kernel);
        progress.accept("cannot be used: " + e.getMessage());
      }
    }
    return new SimulatedPrior(costs, objective, load, cores);
  }

  /** Searches, with a server in this process. */
  public TuneResult search(
      SearchSpace space,
      Objective objective,
      LoadShape load,
      List<Buffer> images,
      int maxRuns,
      Duration shortest,
      Consumer<String> progress)
      throws Exception {
    Prior prior = prior(space, objective, load, progress);
    try (ServerMeter meter = meter(load, images)) {
      return search(meter, prior, space, objective, maxRuns, shortest, progress);
    }
  }

  /** Searches with a meter that is there already. */
  public TuneResult search(
      Meter meter,
      Prior prior,
      SearchSpace space,
      Objective objective,
      int maxRuns,
      Duration shortest,
      Consumer<String> progress)
      throws Exception {
    Consumer<Measurement> each = run -> progress.accept(run.setting().text());
    return new SuccessiveHalving(objective, meter, shortest, each)
        .search(usable(space), baseline(), prior, maxRuns);
  }

  /** Starts a server to measure this model with. */
  public ServerMeter meter(LoadShape load, List<Buffer> images) throws TimeoutException {
    return ServerMeter.open(directory.root(), directory.name(), tunedConfig(), load, images);
  }

  private List<Setting> usable(SearchSpace space) {
    List<Setting> usable = new ArrayList<>(space.settings());
    usable.removeIf(
        s ->
            unusable.contains(new Kernel(s.version(), s.provider(), s.threads()))
                || unusable.contains(new Kernel(s.version(), s.provider(), s.idleThreads())));
    if (usable.isEmpty()) {
      throw new ModelLoadException(directory.path() + ": no setting can run the model");
    }
    return usable;
  }

  private static Set<Kernel> kernels(SearchSpace space) {
    Set<Kernel> kernels = new LinkedHashSet<>();
    for (Setting setting : space.settings()) {
      kernels.add(new Kernel(setting.version(), setting.provider(), setting.threads()));
      if (setting.idleThreads() > 0) {
        kernels.add(new Kernel(setting.version(), setting.provider(), setting.idleThreads()));
      }
    }
    return kernels;
  }
}
