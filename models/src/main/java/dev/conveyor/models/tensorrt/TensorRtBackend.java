package dev.conveyor.models.tensorrt;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.GpuAccelerator;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigCompleter;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.data.DataFingerprint;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.DataSets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs models through TensorRT: ready-made engines ({@code .plan} files), and ONNX files for which
 * it is configured as an accelerator. Thread-safe.
 */
public final class TensorRtBackend implements GpuBackend {

  private static final Logger log = LoggerFactory.getLogger(TensorRtBackend.class);
  private static final String PLAN = ".plan";
  private static final int PREFERENCE = 10;

  /** Room for scratch memory of an engine that is not there yet: a limit, and not taken. */
  private static final long SCRATCH_ALLOWANCE_BYTES = 1L << 30;

  /** Builds take a device for minutes, so there is one at a time. */
  private final Executor builds;

  public TensorRtBackend() {
    this(new BuildThread());
  }

  TensorRtBackend(Executor builds) {
    this.builds = builds;
  }

  @Override
  public String name() {
    return EngineOptions.NAME;
  }

  @Override
  public String version() {
    return TensorRt.unavailable().isEmpty() ? Integer.toString(TensorRt.version()) : "";
  }

  @Override
  public boolean takes(Path file, ModelConfig config) {
    return isPlan(file) || config.backend().equals(name()) || accelerator(config).isPresent();
  }

  @Override
  public int preference() {
    return PREFERENCE;
  }

  @Override
  public String unavailable() {
    return TensorRt.unavailable();
  }

  @Override
  public DeviceModel load(Path file, GpuLoadOptions options) {
    EngineOptions engine =
        EngineOptions.parse(
            accelerator(options.config()).map(GpuAccelerator::parameters).orElse(Map.of()));
    try {
      if (isPlan(file)) {
        return open(file, Files.readAllBytes(file), options, engine);
      }
      return built(file, options, engine);
    } catch (IOException | OptimizeException | OutOfMemoryError e) {
      // Engines are on the heap on their way to the device.
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    }
  }

  private DeviceModel built(Path file, GpuLoadOptions options, EngineOptions engine)
      throws IOException {
    BatchProfile profile = profile(options.config());
    int uncovered = profiles(engine, options.config()).leastUncovered(profile.most());
    if (uncovered > 0) {
      throw new ModelLoadException(
          "%s: no profile that instances use takes batches of %d; max_batch_size is %d"
              .formatted(file, uncovered, profile.most()));
    }
    Cuda cuda = options.cuda();
    EngineKey key =
        new EngineKey(
            EngineKey.hash(file),
            cuda.computeCapability(options.device()),
            cuda.name(options.device()) + ", " + cuda.totalBytes() + " bytes",
            TensorRt.version(),
            cuda.driverVersion(),
            EngineKey.flags(engine, profile, calibration(engine, options.config())));
    Path directory =
        engine.cachePath().isEmpty()
            ? file.toAbsolutePath().resolveSibling("engines")
            : Path.of(engine.cachePath());
    EngineCache cache = new EngineCache(directory);
    if (engine.cached()) {
      Optional<byte[]> known = cache.read(key);
      DeviceModel opened = known.isPresent() ? reopen(file, known.get(), options, engine) : null;
      if (opened != null) {
        return fitting(file, opened);
      }
    }
    GpuBackends.Choice others = engine.background() ? others(file, options) : none();
    if (others.usable().isEmpty()) {
      return fitting(
          file,
          open(
              file,
              build(file, options, engine, profile, cache, key, () -> false),
              options,
              engine));
    }
    DeviceModel first = others.usable().get(0).load(file, options);
    return new SwappingModel(
        options.owner(),
        first,
        Math.max(SCRATCH_ALLOWANCE_BYTES, engine.workspaceBytes()),
        unwanted -> {
          cuda.useDevice(options.device());
          return open(
              file, build(file, options, engine, profile, cache, key, unwanted), options, engine);
        },
        builds);
  }

  /** Returns an engine that was kept; null if TensorRT refuses it. */
  private static @Nullable DeviceModel reopen(
      Path file, byte[] plan, GpuLoadOptions options, EngineOptions engine) {
    try {
      return open(file, plan, options, engine);
    } catch (ModelLoadException e) {
      log.warn("{}; it is built again", e.getMessage());
      return null;
    }
  }

  /**
   * Returns an engine that takes and gives what its file says.
   *
   * @throws ModelLoadException if it does not, so that another backend can; it is closed
   */
  private static DeviceModel fitting(Path file, DeviceModel made) {
    Declared declared = new OnnxBackend().declared(file).orElse(null);
    String difference = declared == null ? null : EngineTensors.difference(declared, made);
    if (difference != null) {
      made.close();
      throw new ModelLoadException(file + ": " + difference);
    }
    return made;
  }

  /**
   * Returns what the ranges of 8-bit integers depend on: what is in the pictures, wherever they
   * lie, and what is made of them.
   */
  static String calibration(EngineOptions engine, ModelConfig config) {
    return engine.calibrationData().isEmpty()
        ? ""
        : DataFingerprint.of(Path.of(engine.calibrationData()))
            + " "
            + config.extensions().preprocessing();
  }

  private GpuBackends.Choice others(Path file, GpuLoadOptions options) {
    GpuBackends.Choice choice = GpuBackends.find().choose(file, options.config());
    return new GpuBackends.Choice(
        choice.usable().stream().filter(other -> !other.name().equals(name())).toList(), "");
  }

  private static GpuBackends.Choice none() {
    return new GpuBackends.Choice(List.of(), "");
  }

  private static byte[] build(
      Path file,
      GpuLoadOptions options,
      EngineOptions engine,
      BatchProfile profile,
      EngineCache cache,
      EngineKey key,
      BooleanSupplier unwanted) {
    EngineCache.Builder builder =
        () -> {
          long begin = System.nanoTime();
          log.info("{}: TensorRT builds an engine, which can take minutes", options.owner());
          Path timings = timings(file, engine, key);
          BuildProgress progress =
              new BuildProgress(
                  line -> log.info("{}: TensorRT: {}", options.owner(), line), unwanted);
          byte[] made = build(file, options, engine, profile, timings, progress);
          log.info(
              "{}: TensorRT built an engine of {} bytes in {} s",
              options.owner(),
              made.length,
              (System.nanoTime() - begin) / 1_000_000_000);
          return made;
        };
    return engine.cached() ? cache.build(key, builder) : builder.build();
  }

  private static byte[] build(
      Path file,
      GpuLoadOptions options,
      EngineOptions engine,
      BatchProfile profile,
      Path timings,
      BuildProgress progress) {
    EngineBuilder builder = new EngineBuilder(file, engine, profile, timings, progress);
    if (engine.calibrationData().isEmpty()) {
      return builder.build(null);
    }
    List<TensorSpec> inputs =
        new OnnxBackend()
            .declared(file)
            .orElseThrow(() -> new ModelLoadException(file + ": does not say what it takes"))
            .inputs();
    try (Calibrator calibrator =
        new Calibrator(
            options.cuda(),
            options.device(),
            inputs,
            calibrationData(engine, inputs, options.config()),
            profile.best())) {
      return builder.build(calibrator);
    } catch (OptimizeException | IllegalArgumentException e) {
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    }
  }

  private static DataSet calibrationData(
      EngineOptions engine, List<TensorSpec> inputs, ModelConfig config) {
    return DataSets.open(
        Path.of(engine.calibrationData()), inputs, config.extensions().preprocessing(), List.of());
  }

  private static DeviceModel open(
      Path file, byte[] plan, GpuLoadOptions options, EngineOptions engine) {
    Reservation reservation;
    try {
      reservation = options.budget().reserve(options.owner(), plan.length);
    } catch (BudgetExceededException e) {
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    }
    try {
      return new TensorRtModel(
          options.owner(), file, plan, reservation, engine, options.config().engineProfiles());
    } catch (RuntimeException | Error e) {
      reservation.close();
      throw e;
    }
  }

  /** Before it is built, which takes minutes: an engine has one if none is configured. */
  static EngineProfiles profiles(EngineOptions engine, ModelConfig config) {
    List<ShapeProfile> built =
        engine.profiles().isEmpty()
            ? List.of(new ShapeProfile(new TreeMap<>()))
            : engine.profiles();
    return EngineProfiles.of(built, config.engineProfiles());
  }

  private static Path timings(Path file, EngineOptions engine, EngineKey key) {
    Path directory =
        engine.cachePath().isEmpty()
            ? file.toAbsolutePath().resolveSibling("engines")
            : Path.of(engine.cachePath());
    return directory.resolve("sm%d-trt%d.timings".formatted(key.architecture(), key.tensorRt()));
  }

  /** Of a configuration that nothing was filled in yet. */
  private static BatchProfile profile(ModelConfig config) {
    int most =
        config.maxBatchSize() == ModelConfig.UNSET
            ? ModelConfigCompleter.DEFAULT_MAX_BATCH_SIZE
            : config.maxBatchSize();
    List<Integer> preferred =
        config.dynamicBatching().map(DynamicBatching::preferredBatchSizes).orElse(List.of());
    return BatchProfile.of(most, preferred);
  }

  private static Optional<GpuAccelerator> accelerator(ModelConfig config) {
    return config.gpuAccelerators().stream()
        .filter(accelerator -> accelerator.name().equals(EngineOptions.NAME))
        .findFirst();
  }

  private static boolean isPlan(Path file) {
    return file.toString().endsWith(PLAN);
  }
}
