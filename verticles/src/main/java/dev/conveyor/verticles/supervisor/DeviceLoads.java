package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.InstanceGroup;
import dev.conveyor.models.config.InstanceGroup.Kind;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.device.GpuModel;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.models.process.FileState;
import dev.conveyor.models.process.GpuShare;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides which devices a model's instances run on, and loads its weights there. Thread-safe: no
 * state of its own; {@link #load} blocks.
 *
 * <p>{@code KIND_GPU} takes the GPUs it names, or all, and fails without them. {@code KIND_AUTO}
 * takes all GPUs that work if a backend runs the model there, otherwise the CPU, and says why.
 * Where placement is planned, a group that names no GPUs takes those that the model is on already,
 * otherwise the one with the most free memory.
 */
public final class DeviceLoads {

  private static final Logger LOG = LoggerFactory.getLogger(DeviceLoads.class);

  private final List<GpuPlace> gpus;
  private final List<String> notes;
  private final GpuBackends backends;
  private final ProcessLoads processes;
  private final String cpu;
  private final int cores;
  private final boolean planned;
  private final AtomicInteger begun = new AtomicInteger();

  /**
   * Creates it for a machine.
   *
   * @param notes why GPUs are not used, for messages
   * @param backends for models in this process
   * @param processes loads those that have processes of their own
   * @param cpu name of the CPU's device
   * @param planned whether models come and go between GPUs with their load
   */
  public DeviceLoads(
      List<GpuPlace> gpus,
      List<String> notes,
      GpuBackends backends,
      ProcessLoads processes,
      String cpu,
      int cores,
      boolean planned) {
    this.gpus = List.copyOf(gpus);
    this.notes = List.copyOf(notes);
    this.backends = backends;
    this.processes = processes;
    this.cpu = cpu;
    this.cores = cores;
    this.planned = planned;
  }

  /**
   * A version that is to be loaded.
   *
   * @param owner {@code model/version}
   * @param budgets of the load that it is part of
   */
  record Version(Path file, ModelConfig config, String owner, ModelBudgets budgets) {

    private boolean isIsolated() {
      return config.isolation() == Isolation.PROCESS;
    }
  }

  /**
   * What a version is loaded from, onto one more device.
   *
   * @param state what its files are; others are another model
   * @param count instances of it on each device
   */
  record Source(Version version, FileState state, int count) {}

  /**
   * The devices of a version and its weights there.
   *
   * @param source empty if it stays where it is
   */
  record Loaded(InstancePlan plan, DeviceWeights weights, Optional<Source> source) {}

  /** Returns whether models come and go between GPUs with their load. */
  boolean isPlanned() {
    return planned;
  }

  /** Returns the plan of a model that runs on the CPU only, as far as that is known beforehand. */
  InstancePlan cpuPlan(ModelConfig config) {
    int instances = config.instanceGroups().stream().mapToInt(InstanceGroup::count).sum();
    return InstancePlan.onCpu(config, instances, cores, cpu);
  }

  /**
   * Loads a version; everywhere or nowhere.
   *
   * @param present where the model is already, if it is loaded anew
   * @param onCpu loads it on the CPU with so many threads
   * @throws ModelLoadException if a device that it insists on cannot be had
   */
  Loaded load(Version version, Set<String> present, Function<InstancePlan, LoadedModel> onCpu) {
    ModelConfig config = version.config();
    Map<String, LoadedModel> weights = new LinkedHashMap<>();
    Optional<FileState> state =
        isMovable(version) ? Optional.of(FileState.of(version.file())) : Optional.empty();
    try {
      List<String> onGpus = new ArrayList<>();
      int cpuInstances = 0;
      for (InstanceGroup group : groups(config)) {
        List<GpuPlace> places = places(version, group, present, weights);
        places.forEach(place -> onGpus.add(place.gpu().device()));
        cpuInstances += places.isEmpty() ? group.count() : 0;
      }
      InstancePlan plan = plan(config, onGpus, cpuInstances);
      if (cpuInstances > 0) {
        weights.put(cpu, onCpu.apply(plan));
      }
      Optional<Source> source =
          onGpus.isEmpty()
              ? Optional.empty()
              : state.map(was -> new Source(version, was, groups(config).get(0).count()));
      return new Loaded(plan, new DeviceWeights(weights), source);
    } catch (RuntimeException | Error e) {
      try {
        DeviceWeights.closeAll(weights.values());
      } catch (RuntimeException alsoFailed) {
        e.addSuppressed(alsoFailed);
      }
      throw e;
    }
  }

  private InstancePlan plan(ModelConfig config, List<String> onGpus, int cpuInstances) {
    if (onGpus.isEmpty()) {
      return InstancePlan.onCpu(config, cpuInstances, cores, cpu);
    }
    return cpuInstances == 0 && groups(config).size() == 1
        ? InstancePlan.onGpus(config, onGpus, GpuModel.LANES, cores)
        : InstancePlan.mixed(config, onGpus, GpuModel.LANES, cpuInstances, cores, cpu);
  }

  private static List<InstanceGroup> groups(ModelConfig config) {
    return config.instanceGroups().isEmpty()
        ? List.of(InstanceGroup.DEFAULT)
        : config.instanceGroups();
  }

  /**
   * Loads onto the GPUs of a group; returns where its instances are, one entry for each, or none if
   * it is to run on the CPU.
   */
  private List<GpuPlace> places(
      Version version, InstanceGroup group, Set<String> present, Map<String, LoadedModel> weights) {
    if (group.kind() == Kind.KIND_CPU || (group.kind() == Kind.KIND_AUTO && gpus.isEmpty())) {
      return List.of();
    }
    List<String> loadedHere = new ArrayList<>();
    try {
      List<GpuPlace> there = wanted(group, version.isIsolated());
      List<GpuBackend> usable = version.isIsolated() ? List.of() : usable(version);
      List<GpuPlace> places =
          dealt(isMovable(version) ? toBegin(there, present) : there, group, version.config());
      for (GpuPlace place : places) {
        String device = place.gpu().device();
        if (!weights.containsKey(device)) {
          weights.put(device, load(version, place, usable));
          loadedHere.add(device);
        }
      }
      return places;
    } catch (ModelLoadException e) {
      if (group.kind() == Kind.KIND_GPU) {
        throw new ModelLoadException(
            "instance_group.kind: KIND_GPU cannot be had: %s; KIND_AUTO takes what there is"
                .formatted(e.getMessage()),
            e);
      }
      for (String device : loadedHere) {
        LoadedModel loaded = weights.remove(device);
        if (loaded != null) {
          loaded.close();
        }
      }
      LOG.info("{} runs on the CPU: {}", version.owner(), e.getMessage());
      return List.of();
    }
  }

  /**
   * Loads one more copy of a version. Blocking.
   *
   * @throws ModelLoadException if the device cannot have it, or its files have changed; nothing
   *     stays allocated
   */
  LoadedModel loadCopy(Source source, String device) {
    source.state().requireSame();
    GpuPlace place = place(device);
    String lost = place.lost();
    if (lost != null) {
      throw new ModelLoadException(device + " is lost to this process: " + lost);
    }
    return load(source.version(), place, usable(source.version()));
  }

  private GpuPlace place(String device) {
    return gpus.stream()
        .filter(each -> each.gpu().device().equals(device))
        .findFirst()
        .orElseThrow(() -> new ModelLoadException("there is no " + device));
  }

  /** A model that names GPUs stays there, and one in processes of its own where it was loaded. */
  private boolean isMovable(Version version) {
    List<InstanceGroup> groups = groups(version.config());
    return planned
        && gpus.size() > 1
        && groups.size() == 1
        && groups.get(0).kind() != Kind.KIND_CPU
        && !groups.get(0).namesGpus()
        && !version.isIsolated();
  }

  /** Loads begin side by side, before the ledgers know of any: of equals each takes the next. */
  private List<GpuPlace> toBegin(List<GpuPlace> there, Set<String> present) {
    List<GpuPlace> kept =
        there.stream().filter(place -> present.contains(place.gpu().device())).toList();
    if (!kept.isEmpty()) {
      return kept;
    }
    int first = Math.floorMod(begun.getAndIncrement(), there.size());
    GpuPlace best = there.get(first);
    for (int i = 1; i < there.size(); i++) {
      GpuPlace next = there.get((first + i) % there.size());
      best = next.budget().availableBytes() > best.budget().availableBytes() ? next : best;
    }
    return List.of(best);
  }

  /** Deals the instances of a group out to devices by turns: its bounds are those of all. */
  private static List<GpuPlace> dealt(
      List<GpuPlace> places, InstanceGroup group, ModelConfig config) {
    int all = places.size() * group.count();
    int most = groups(config).size() == 1 ? config.extensions().instances().clamp(all) : all;
    List<GpuPlace> dealt = new ArrayList<>();
    for (int i = 0; i < most; i++) {
      dealt.add(places.get(i % places.size()));
    }
    return dealt;
  }

  /** Where they have processes of their own, those choose: what they load is not loaded here. */
  private List<GpuBackend> usable(Version version) {
    GpuBackends.Choice choice = backends.choose(version.file(), version.config());
    if (choice.usable().isEmpty()) {
      throw new ModelLoadException(choice.reason());
    }
    return choice.usable();
  }

  private LoadedModel load(Version version, GpuPlace place, List<GpuBackend> usable) {
    ModelConfig config = version.config();
    MemoryBudget budget = version.budgets().on(place.budget());
    if (version.isIsolated()) {
      MemoryBudget host = version.budgets().on(place.hostBudget());
      GpuShare share = new GpuShare(place, budget, config);
      return processes.loadOnGpu(version.file(), version.owner(), host, share);
    }
    GpuLoadOptions options =
        new GpuLoadOptions(version.owner(), place.cuda(), place.gpu().ordinal(), budget, config);
    return GpuModel.load(version.file(), place, usable, options, config.gpuPriority().ofStreams());
  }

  private List<GpuPlace> wanted(InstanceGroup group, boolean isIsolated) {
    if (gpus.isEmpty()) {
      throw new ModelLoadException(notes.isEmpty() ? "there is no GPU" : String.join("; ", notes));
    }
    List<GpuPlace> wanted = new ArrayList<>();
    for (Gpu gpu : NamedGpus.of(group, gpus.stream().map(GpuPlace::gpu).toList())) {
      GpuPlace place = place(gpu.device());
      String lost = isIsolated ? place.givenUp() : place.lost();
      if (lost == null) {
        wanted.add(place);
      } else if (group.namesGpus() || gpus.size() == 1) {
        throw new ModelLoadException(place.gpu().device() + " is lost to this process: " + lost);
      }
    }
    if (wanted.isEmpty()) {
      throw new ModelLoadException("every GPU is lost to this process");
    }
    return wanted;
  }
}
