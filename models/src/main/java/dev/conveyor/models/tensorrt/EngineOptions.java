package dev.conveyor.models.tensorrt;

import dev.conveyor.models.config.ConfigException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * How an engine is made, as the parameters of the accelerator {@code tensorrt} say. Immutable.
 *
 * @param precision arithmetic it may use
 * @param calibrationData directory with what to calibrate 8-bit integers on; empty: the file says
 *     it with Q/DQ pairs
 * @param workspaceBytes most scratch memory that a kernel may take; 0: as TensorRT sees fit
 * @param cached whether engines are kept in files
 * @param cachePath directory of these; empty: beside the model
 * @param timingCached whether timings of kernels are kept, for the next engine
 * @param optimizationLevel 0 to 5: how long the builder looks; 3 is TensorRT's default
 * @param background whether another backend serves while the first engine is built
 * @param layerTimes whether every layer is timed, which costs throughput
 * @param buildProgress whether TensorRT tells how far a build is, and can be told to end it
 * @param graphs whether what is enqueued for a batch size is captured in a CUDA graph
 * @param profiles shapes that an engine is made for; empty: of batches that vary in nothing else
 */
record EngineOptions(
    Precision precision,
    String calibrationData,
    long workspaceBytes,
    boolean cached,
    String cachePath,
    boolean timingCached,
    int optimizationLevel,
    boolean background,
    boolean layerTimes,
    boolean buildProgress,
    boolean graphs,
    List<ShapeProfile> profiles) {

  /** Name of the accelerator, as of the backend. */
  static final String NAME = "tensorrt";

  private static final String PRECISION = "precision_mode";
  private static final String CALIBRATION = "int8_calibration_data";
  private static final String WORKSPACE = "max_workspace_size_bytes";
  private static final String CACHE = "trt_engine_cache_enable";
  private static final String CACHE_PATH = "trt_engine_cache_path";
  private static final String TIMING_CACHE = "trt_timing_cache_enable";
  private static final String LEVEL = "trt_builder_optimization_level";
  private static final String BACKGROUND = "background_build";
  private static final String LAYER_TIMES = "layer_times";
  private static final String BUILD_PROGRESS = "build_progress";
  private static final String GRAPHS = "trt_cuda_graph_enable";

  private static final String LEAST_SHAPES = "trt_profile_min_shapes";
  private static final String BEST_SHAPES = "trt_profile_opt_shapes";
  private static final String MOST_SHAPES = "trt_profile_max_shapes";

  private static final Set<String> KEYS =
      new TreeSet<>(
          Set.of(
              PRECISION,
              CALIBRATION,
              WORKSPACE,
              CACHE,
              CACHE_PATH,
              TIMING_CACHE,
              LEVEL,
              BACKGROUND,
              LAYER_TIMES,
              BUILD_PROGRESS,
              GRAPHS,
              LEAST_SHAPES,
              BEST_SHAPES,
              MOST_SHAPES));

  private static final String WHERE =
      "optimization.execution_accelerators.gpu_execution_accelerator[tensorrt].parameters.";

  /** What holds where nothing is said: exact, kept, and without anybody waiting for it. */
  static final EngineOptions DEFAULT = parse(Map.of());

  /**
   * Reads parameters.
   *
   * @throws ConfigException if one is not known or has no sense; the message names it
   */
  static EngineOptions parse(Map<String, String> parameters) {
    for (String key : parameters.keySet()) {
      if (!KEYS.contains(key)) {
        throw new ConfigException(WHERE + key, "one of " + KEYS, "\"" + key + "\"");
      }
    }
    EngineOptions options =
        new EngineOptions(
            precision(parameters),
            parameters.getOrDefault(CALIBRATION, ""),
            number(parameters, WORKSPACE, 0, Long.MAX_VALUE, 0),
            flag(parameters, CACHE, true),
            parameters.getOrDefault(CACHE_PATH, ""),
            flag(parameters, TIMING_CACHE, true),
            (int) number(parameters, LEVEL, 0, 5, 3),
            flag(parameters, BACKGROUND, true),
            flag(parameters, LAYER_TIMES, false),
            flag(parameters, BUILD_PROGRESS, false),
            flag(parameters, GRAPHS, false),
            profiles(parameters));
    if (!options.calibrationData.isEmpty() && options.precision != Precision.INT8) {
      throw new ConfigException(
          WHERE + CALIBRATION, "only with precision_mode INT8", options.precision.name());
    }
    if (!options.calibrationData.isEmpty() && !options.profiles.isEmpty()) {
      throw new ConfigException(
          WHERE + CALIBRATION, "not with " + LEAST_SHAPES + ", whose batches vary", "both");
    }
    if (options.layerTimes && options.graphs) {
      throw new ConfigException(
          WHERE + GRAPHS, "not with layer_times, which graphs do not tell", "both");
    }
    return options;
  }

  private static Precision precision(Map<String, String> parameters) {
    String found = parameters.getOrDefault(PRECISION, Precision.FP32.name());
    return Precision.find(found)
        .orElseThrow(
            () ->
                new ConfigException(
                    WHERE + PRECISION,
                    "one of " + Arrays.toString(Precision.values()),
                    "\"" + found + "\""));
  }

  private static List<ShapeProfile> profiles(Map<String, String> parameters) {
    String least = parameters.getOrDefault(LEAST_SHAPES, "");
    String best = parameters.getOrDefault(BEST_SHAPES, "");
    String most = parameters.getOrDefault(MOST_SHAPES, "");
    try {
      return ShapeProfile.parse(least, best, most);
    } catch (IllegalArgumentException e) {
      throw new ConfigException(
          WHERE + LEAST_SHAPES,
          "with %s and %s NAME:1x2x3,... for the same inputs, rising"
              .formatted(BEST_SHAPES, MOST_SHAPES),
          String.valueOf(e.getMessage()));
    }
  }

  private static boolean flag(Map<String, String> parameters, String key, boolean byDefault) {
    String found = parameters.getOrDefault(key, Boolean.toString(byDefault));
    return switch (found) {
      case "1", "true" -> true;
      case "0", "false" -> false;
      default -> throw new ConfigException(WHERE + key, "true or false", "\"" + found + "\"");
    };
  }

  private static long number(
      Map<String, String> parameters, String key, long least, long most, long byDefault) {
    String found = parameters.getOrDefault(key, Long.toString(byDefault));
    try {
      long value = Long.parseLong(found);
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Told below, with what was expected.
    }
    throw new ConfigException(
        WHERE + key,
        most == Long.MAX_VALUE
            ? "a whole number from " + least
            : "a whole number from %d to %d".formatted(least, most),
        "\"" + found + "\"");
  }
}
