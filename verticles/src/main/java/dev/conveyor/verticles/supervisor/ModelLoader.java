package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.ScratchFiles;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigCompleter;
import dev.conveyor.models.config.ModelConfigCompleter.Completed;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.models.config.ModelMemory;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.image.OpenCv;
import dev.conveyor.models.repository.ModelDirectory;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.verticles.ImageInputs;
import dev.conveyor.verticles.InputCheck;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.instance.Warmups;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import dev.conveyor.verticles.profile.ProfileKey;
import dev.conveyor.verticles.profile.ProfileStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The slow part of bringing a model into service: reads its directory, opens its weights, completes
 * its configuration from them. Thread-safe: no state but which models have files of their own;
 * every method blocks.
 */
public final class ModelLoader {

  private static final Logger LOG = LoggerFactory.getLogger(ModelLoader.class);

  /** Of directories in a repository: models, versions, their engines. */
  private static final int LEVELS = 3;

  private final ModelRepository repository;
  private final Overrides overrides = new Overrides();
  private final ProcessLoads backends;
  private final CpuLoads onCpu;
  private final Sites sites;
  private final MemoryBudget budget;
  private final int cores;
  private final DeviceLoads devices;
  private final BiFunction<ModelConfig, Boolean, ImageInputs> images;
  private final int removedParts;

  /**
   * Creates a loader, after removing from the repository what was half-written when its writer
   * died.
   *
   * @param sites the devices, by the names that they have in the scheduler
   * @param devices where models run
   * @param images makes the preprocessing of a model from its completed configuration, and from
   *     whether all of its instances decode images by themselves
   */
  public ModelLoader(
      ModelRepository repository,
      ProcessLoads backends,
      Sites sites,
      int cores,
      DeviceLoads devices,
      BiFunction<ModelConfig, Boolean, ImageInputs> images) {
    this.repository = repository;
    this.backends = backends;
    this.onCpu = new CpuLoads(backends);
    this.sites = sites;
    this.budget = sites.cpu().ledger();
    this.cores = cores;
    this.devices = devices;
    this.images = images;
    this.removedParts =
        ScratchFiles.sweep(repository.root(), LEVELS)
            + ScratchFiles.sweep(ProfileStore.userCache(), 0);
  }

  /** Returns the loader of the ensembles in the same repository. */
  EnsembleLoader ensembles(ModelCatalog catalog) {
    return new EnsembleLoader(repository, catalog);
  }

  /** Returns the names of the models in the repository. */
  List<String> names() {
    return repository.list();
  }

  /**
   * Loads the versions of a model that its policy selects; all or none.
   *
   * @param configJson replaces the model's configuration file; null reads the file
   * @param deployment number of this load, part of the versions' names in the scheduler
   * @param present devices that the model is on, if it is loaded anew
   * @param background whether other models are in service, which must not feel the load
   */
  List<LoadedVersion> load(
      String name,
      @Nullable String configJson,
      long deployment,
      Set<String> present,
      boolean background) {
    ModelDirectory directory = open(name);
    ModelConfig config = config(directory, configJson);
    warn(directory, config);
    ModelBudgets budgets = new ModelBudgets(config);
    if (!config.extensions().preprocessing().isEmpty()) {
      // Beside the session, which takes as long. If it fails, so does making the preprocessing.
      CompletableFuture<Void> unused = CompletableFuture.runAsync(OpenCv::load);
    }
    List<LoadedVersion> loaded = new ArrayList<>();
    try {
      for (long version : directory.served(config)) {
        loaded.add(load(directory, config, version, deployment, budgets, present, background));
      }
      return loaded;
    } catch (RuntimeException | Error e) {
      loaded.forEach(version -> version.weights().close());
      throw e;
    }
  }

  /** Tells what the configuration asks for and does not get. */
  static void warn(ModelDirectory directory, ModelConfig config) {
    config.warnings().forEach(line -> LOG.warn("{}: {}", directory.path(), line));
  }

  /**
   * Looks at a model without loading it, if that can be.
   *
   * @param configJson replaces the model's configuration file; null reads the file
   */
  Survey survey(String name, @Nullable String configJson) {
    ModelDirectory directory = open(name);
    ModelConfig config = config(directory, configJson);
    List<Long> versions = directory.served(config);
    InstancePlan plan = devices.cpuPlan(config);
    int sessions = plan.idleThreads() > plan.threads() ? 2 : 1;
    long bytes = 0;
    for (long version : versions) {
      bytes += sessions * ModelFiles.sizeBytes(directory.modelFile(version, config));
    }
    ModelMemory.Residency residency = config.extensions().memory().residency();
    if (residency == ModelMemory.Residency.PINNED) {
      return new Survey(residency, bytes, List.of());
    }
    List<ServedModel> cold = new ArrayList<>();
    for (long version : versions) {
      Declared declared = declared(directory, config, version);
      Completed completed = directory.complete(config, declared.inputs(), declared.outputs());
      bytes += (long) sessions * plan.instances() * ModelFiles.slabBytes(completed.signature());
      cold.add(served(directory, completed, Long.toString(version), 0, false).cold());
    }
    return new Survey(residency, bytes, cold);
  }

  private Declared declared(ModelDirectory directory, ModelConfig config, long version) {
    Path file = directory.modelFile(version, config);
    return backends
        .declared(file)
        .orElseGet(
            () -> {
              LoadOptions options =
                  new LoadOptions(config.name() + "/survey", 1, budget, config.parameters());
              Map<String, byte[]> warmupData = WarmupFiles.read(directory, config);
              Runnable requireTried =
                  backends.verify(
                      file,
                      config,
                      options,
                      model -> tryOut(model, directory, config, file, warmupData));
              requireTried.run();
              try (LoadedModel loaded = backends.load(file, config, options)) {
                requireTried.run();
                return new Declared(loaded.inputs(), loaded.outputs());
              }
            });
  }

  /** Loads one more copy of a version; see {@link DeviceLoads#loadCopy}. */
  LoadedModel loadCopy(DeviceLoads.Source source, String device) {
    return devices.loadCopy(source, device);
  }

  /** Returns whether models come and go between GPUs with their load. */
  boolean isPlanned() {
    return devices.isPlanned();
  }

  /** Returns whether the repository has a model of this name, loadable or not. */
  boolean isInRepository(String name) {
    return repository.list().contains(name);
  }

  /** Returns how many directories of crashed servers were removed. */
  public int removedLeftovers() {
    return overrides.removedLeftovers();
  }

  /**
   * Returns how many half-written files were removed, from the repository and the user's profiles.
   */
  public int removedParts() {
    return removedParts;
  }

  /** Returns the models that are not loaded from the repository. */
  Overrides overrides() {
    return overrides;
  }

  private ModelDirectory open(String name) {
    ModelRepository source = overrides.of(name, repository);
    if (!source.list().contains(name)) {
      throw new InferenceException(
          ErrorCode.NOT_FOUND,
          "failed to load '" + name + "': there is no such model in the repository");
    }
    return source.open(name);
  }

  private static ModelConfig config(ModelDirectory directory, @Nullable String configJson) {
    return configJson == null
        ? directory.readConfig()
        : ModelConfigReader.read(directory.name(), configJson);
  }

  private LoadedVersion load(
      ModelDirectory directory,
      ModelConfig config,
      long version,
      long deployment,
      ModelBudgets budgets,
      Set<String> present,
      boolean background) {
    Path file = directory.modelFile(version, config);
    MemoryBudget memory = budgets.on(budget);
    String owner = directory.name() + "/" + version;
    Map<String, byte[]> warmupData = WarmupFiles.read(directory, config);
    Runnable requireTried =
        backends.verify(
            file,
            config,
            new LoadOptions(directory.name() + "/verify", 1, memory, config.parameters()),
            model -> tryOut(model, directory, config, file, warmupData));
    requireTried.run();
    DeviceLoads.Loaded loaded =
        devices.load(
            new DeviceLoads.Version(file, config, owner, budgets),
            present,
            plan -> onCpu.load(file, config, owner, plan, memory, background));
    InstancePlan plan = loaded.plan();
    plan.idleThreadsWithoutEffect(config)
        .ifPresent(line -> LOG.warn("{}: {}", directory.path(), line));
    DeviceWeights weights = loaded.weights();
    try {
      requireTried.run();
      weights.hold(memory.reserve(owner + "/warm-up", WarmupFiles.bytes(warmupData)));
      requireGpuForImages(config, weights);
      Completed completed = directory.complete(config, weights.inputs(), weights.outputs());
      return new LoadedVersion(
          served(directory, completed, Long.toString(version), deployment, weights.decodesImages()),
          weights,
          plan,
          loaded.source(),
          warmupData,
          profileKeys(file, plan, config),
          background);
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  /** Runs a synthetic batch on a model that is thrown away. */
  private void tryOut(
      LoadedModel model,
      ModelDirectory directory,
      ModelConfig config,
      Path file,
      Map<String, byte[]> warmupData) {
    Completed completed = directory.complete(config, model.inputs(), model.outputs());
    ServedModel served = served(directory, completed, "verify", 0, false);
    try (ModelExecutor executor = model.newExecutor(completed.signature().maxBatchSize())) {
      Warmups.tryOut(served, executor, warmupData);
    } catch (ExecutionException e) {
      throw new ModelLoadException(file + ": a synthetic batch fails: " + e.getMessage(), e);
    }
  }

  private static void requireGpuForImages(ModelConfig config, LoadedModel weights) {
    boolean insists =
        config.extensions().preprocessing().stream()
            .anyMatch(block -> block.device() == Preprocessing.Device.GPU);
    if (insists && !weights.decodesImages()) {
      throw new ModelLoadException(
          "conveyor.preprocessing.device: GPU, but not all instances run on GPUs; AUTO takes the CPU then");
    }
  }

  /** Costs are those of a kind of device: on the next start, or on another one, the same. */
  private Map<String, ProfileKey> profileKeys(Path file, InstancePlan plan, ModelConfig config) {
    Map<String, ProfileKey> keys = new HashMap<>();
    try {
      ProfileKey.Subject subject =
          ProfileKey.Subject.of(file, backends.of(config), config.parameters());
      for (String device : new TreeSet<>(plan.devices())) {
        String kind = sites.of(device).kind();
        keys.put(
            kind,
            sites.isCpu(device)
                ? subject.onCpu(device, cores, plan.threads(), plan.idleThreads())
                : subject.onGpu(kind));
      }
    } catch (IOException e) {
      LOG.warn("{}: costs are not kept: {}", file, e.toString());
    }
    return keys;
  }

  private ServedModel served(
      ModelDirectory directory,
      Completed completed,
      String version,
      long deployment,
      boolean decodes) {
    ModelConfig config = completed.config();
    var client = ModelConfigCompleter.clientSignature(config, completed.signature());
    return new ServedModel(
        directory.name(),
        version,
        version + "@" + deployment,
        ModelConfigWriter.platform(config),
        config,
        completed.signature(),
        client.inputs(),
        directory.labels(config),
        new InputCheck(
            directory.name(),
            client.inputs(),
            ModelConfigCompleter.tensorSignature(config, completed.signature()).inputs(),
            config.maxBatchSize()),
        images.apply(config, decodes),
        new RecordingModelStats());
  }
}
