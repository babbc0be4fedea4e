package dev.conveyor.models.tensorrt;

import dev.conveyor.models.ScratchFiles;
import dev.conveyor.models.Shape;
import dev.conveyor.models.backend.ModelLoadException;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorrt.global.nvinfer;
import org.bytedeco.tensorrt.global.nvinfer.BuilderFlag;
import org.bytedeco.tensorrt.global.nvinfer.MemoryPoolType;
import org.bytedeco.tensorrt.global.nvinfer.OptProfileSelector;
import org.bytedeco.tensorrt.global.nvonnxparser;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.IBuilder;
import org.bytedeco.tensorrt.nvinfer.IBuilderConfig;
import org.bytedeco.tensorrt.nvinfer.IHostMemory;
import org.bytedeco.tensorrt.nvinfer.INetworkDefinition;
import org.bytedeco.tensorrt.nvinfer.IOptimizationProfile;
import org.bytedeco.tensorrt.nvinfer.ITensor;
import org.bytedeco.tensorrt.nvinfer.ITimingCache;
import org.bytedeco.tensorrt.nvonnxparser.IParser;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Builds the engine of an ONNX file, on the device of the calling thread; that takes from seconds
 * to many minutes, and the device is measured on meanwhile. Thread-confined: one object, one
 * engine.
 */
final class EngineBuilder {

  private static final Logger log = LoggerFactory.getLogger(EngineBuilder.class);

  /** Of {@code IParser}, after its first eight functions. */
  private static final int PARSER_DESTRUCTOR = 9;

  private static final int WARNINGS = 2;

  /** Engines are kept in arrays, behind a header. */
  private static final long LARGEST_BYTES = Integer.MAX_VALUE - 1024L;

  private final Path onnx;
  private final EngineOptions options;
  private final BatchProfile profile;
  private final Path timings;
  private final BuildProgress progress;
  private final Deque<Runnable> deletions = new ArrayDeque<>();

  /**
   * Prepares.
   *
   * @param timings file with the times of kernels, made by earlier builds or not there yet
   * @param progress told how far it is and asked whether to end it early, if the options say so
   */
  EngineBuilder(
      Path onnx,
      EngineOptions options,
      BatchProfile profile,
      Path timings,
      BuildProgress progress) {
    this.onnx = onnx;
    this.options = options;
    this.profile = profile;
    this.timings = timings;
    this.progress = progress;
  }

  /**
   * Builds.
   *
   * @param calibrator tells what to calibrate 8-bit integers on; null without
   * @throws ModelLoadException if TensorRT cannot; the message says what it said
   */
  byte[] build(@Nullable Calibrator calibrator) {
    try {
      return tryBuild(calibrator);
    } finally {
      while (!deletions.isEmpty()) {
        deletions.pop().run();
      }
    }
  }

  private byte[] tryBuild(@Nullable Calibrator calibrator) {
    IBuilder builder = made("a builder", nvinfer.createInferBuilder(TensorRt.logger()), 1);
    INetworkDefinition network = made("a network", builder.createNetworkV2(0), 1);
    IParser parser =
        made("a parser", nvonnxparser.createParser(network, TensorRt.logger()), PARSER_DESTRUCTOR);
    if (!parser.parseFromFile(onnx.toAbsolutePath().toString(), WARNINGS)) {
      throw failure("cannot be read: " + errors(parser));
    }
    IBuilderConfig config = made("a configuration", builder.createBuilderConfig(), 1);
    configure(config);
    List<ShapeProfile> profiles =
        options.profiles().isEmpty()
            ? List.of(new ShapeProfile(new TreeMap<>()))
            : options.profiles();
    for (ShapeProfile shapes : profiles) {
      IOptimizationProfile made = profile(builder, network, shapes);
      if (config.addOptimizationProfile(made) < 0) {
        throw failure("its batch sizes were refused: " + TensorRt.lastError());
      }
      if (calibrator != null) {
        calibrate(config, calibrator, made);
      }
    }
    ITimingCache timed = timingCache(config);
    IHostMemory plan = made("an engine", build(builder, network, config), 1);
    if (timed != null) {
      keep(timed);
    }
    return bytes(plan);
  }

  private @Nullable IHostMemory build(
      IBuilder builder, INetworkDefinition network, IBuilderConfig config) {
    if (!options.buildProgress()) {
      return builder.buildSerializedNetwork(network, config);
    }
    NativeProgress monitor = new NativeProgress(progress);
    config.setProgressMonitor(monitor.handle());
    try {
      return builder.buildSerializedNetwork(network, config);
    } finally {
      Reference.reachabilityFence(monitor);
    }
  }

  /** The flags are deprecated in favour of files that say every tensor's type, which few do. */
  @SuppressWarnings("deprecation")
  private void configure(IBuilderConfig config) {
    if (options.precision() == Precision.FP32) {
      config.clearFlag(BuilderFlag.kTF32);
    }
    switch (options.precision()) {
      case FP32, TF32 -> {}
      case FP16 -> config.setFlag(BuilderFlag.kFP16);
      case BF16 -> config.setFlag(BuilderFlag.kBF16);
      case INT8 -> {
        config.setFlag(BuilderFlag.kINT8);
        config.setFlag(BuilderFlag.kFP16);
      }
      case FP8 -> {
        config.setFlag(BuilderFlag.kFP8);
        config.setFlag(BuilderFlag.kFP16);
      }
    }
    if (options.workspaceBytes() > 0) {
      config.setMemoryPoolLimit(MemoryPoolType.kWORKSPACE, options.workspaceBytes());
    }
    config.setBuilderOptimizationLevel(options.optimizationLevel());
    if (options.layerTimes()) {
      config.setProfilingVerbosity(nvinfer.ProfilingVerbosity.kDETAILED);
    }
  }

  @SuppressWarnings("deprecation")
  private static void calibrate(
      IBuilderConfig config, Calibrator calibrator, IOptimizationProfile batches) {
    config.setInt8Calibrator(calibrator);
    boolean unused = config.setCalibrationProfile(batches);
  }

  private IOptimizationProfile profile(
      IBuilder builder, INetworkDefinition network, ShapeProfile shapes) {
    IOptimizationProfile made = builder.createOptimizationProfile();
    for (int i = 0; i < network.getNbInputs(); i++) {
      ITensor input = network.getInput(i);
      Shape declared = TensorRt.shape(input.getDimensions());
      try {
        ShapeProfile.Range range = shapes.range(input.getName(), declared, profile);
        set(made, input.getName(), OptProfileSelector.kMIN, range.least());
        set(made, input.getName(), OptProfileSelector.kOPT, range.best());
        set(made, input.getName(), OptProfileSelector.kMAX, range.most());
      } catch (IllegalArgumentException e) {
        throw failure(String.valueOf(e.getMessage()));
      }
    }
    return made;
  }

  private void set(IOptimizationProfile made, String input, OptProfileSelector which, Shape shape) {
    try (Dims64 dims = TensorRt.dims(shape)) {
      if (!made.setDimensions(input, which, dims)) {
        throw failure("'%s' of %s was refused: %s".formatted(input, shape, TensorRt.lastError()));
      }
    }
  }

  private @Nullable ITimingCache timingCache(IBuilderConfig config) {
    if (!options.timingCached()) {
      config.setFlag(BuilderFlag.kDISABLE_TIMING_CACHE);
      return null;
    }
    byte[] known = new byte[0];
    try {
      if (Files.exists(timings)) {
        known = Files.readAllBytes(timings);
      }
    } catch (IOException e) {
      log.warn("{}: not used: {}", timings, e.toString());
    }
    try (BytePointer bytes = new BytePointer(known)) {
      ITimingCache cache = config.createTimingCache(bytes, known.length);
      if (cache == null || cache.isNull()) {
        return null; // Of another version: timed anew.
      }
      deletions.push(() -> CppObject.delete(cache.address()));
      return config.setTimingCache(cache, false) ? cache : null;
    }
  }

  /** Costs the next build its time if it fails, and nothing else. */
  private void keep(ITimingCache cache) {
    try {
      IHostMemory serialized = made("the timings", cache.serialize(), 1);
      Path directory =
          EngineCache.made(Objects.requireNonNull(timings.toAbsolutePath().getParent()));
      ScratchFiles.replace(
          directory.resolve(timings.getFileName()),
          file -> Channels.newOutputStream(file).write(bytes(serialized)));
    } catch (IOException | ModelLoadException e) {
      log.warn("{}: cannot keep the timings: {}", timings, e.toString());
    }
  }

  private byte[] bytes(IHostMemory memory) {
    byte[] bytes = new byte[length(onnx, memory.size())];
    try (BytePointer data = new BytePointer(memory.data())) {
      data.capacity(bytes.length).get(bytes);
    }
    return bytes;
  }

  /**
   * Returns the size of an engine.
   *
   * @throws ModelLoadException if no array holds as much
   */
  static int length(Path file, long bytes) {
    if (bytes > LARGEST_BYTES) {
      throw new ModelLoadException(
          "%s: its engine has %d bytes; above %d none is served"
              .formatted(file, bytes, LARGEST_BYTES));
    }
    return (int) bytes;
  }

  private static String errors(IParser parser) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < parser.getNbErrors(); i++) {
      text.append(i == 0 ? "" : "; ").append(parser.getError(i).desc());
    }
    return text.isEmpty() ? TensorRt.lastError() : text.toString();
  }

  private <T extends Pointer> T made(String what, @Nullable T pointer, int destructor) {
    if (pointer == null || pointer.isNull()) {
      throw failure("TensorRT did not make " + what + ": " + TensorRt.lastError());
    }
    deletions.push(() -> CppObject.delete(pointer.address(), destructor));
    return pointer;
  }

  private ModelLoadException failure(String why) {
    return new ModelLoadException(onnx + ": " + why);
  }
}
