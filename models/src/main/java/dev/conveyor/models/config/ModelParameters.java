package dev.conveyor.models.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The free-form {@code parameters} of a model that mean something here. Triton's backends take
 * whatever they do not know, so what is unknown is told about and not refused; what is known must
 * have a value that is known. Stateless.
 */
public final class ModelParameters {

  /** Which kernels execute the model. */
  public static final String EXECUTION_PROVIDER = "execution_provider";

  /** Most bytes of the arena of ONNX Runtime's CUDA provider. */
  public static final String GPU_MEM_LIMIT = "gpu_mem_limit";

  /** Triton's name of {@code conveyor.intra_op_threads}, which goes before it; 0 is the default. */
  static final String INTRA_OP_THREADS = "intra_op_thread_count";

  /** Values by key; those after the first provider are the CUDA provider's, in its names. */
  private static final Map<String, Set<String>> VALUES =
      Map.of(
          EXECUTION_PROVIDER,
          Set.of("cpu", "dnnl", "cuda"),
          "arena_extend_strategy",
          Set.of("kSameAsRequested", "kNextPowerOfTwo", "0", "1"),
          "cudnn_conv_algo_search",
          Set.of("EXHAUSTIVE", "HEURISTIC", "DEFAULT", "0", "1", "2"),
          "cudnn_conv_use_max_workspace",
          Set.of("0", "1"),
          "use_tf32",
          Set.of("0", "1"),
          "prefer_nhwc",
          Set.of("0", "1"));

  /** The CUDA provider's names for what Triton's files say in numbers. */
  private static final Map<String, List<String>> NUMBERED =
      Map.of(
          "arena_extend_strategy", List.of("kNextPowerOfTwo", "kSameAsRequested"),
          "cudnn_conv_algo_search", List.of("EXHAUSTIVE", "HEURISTIC", "DEFAULT"));

  /** What Triton's backend of ONNX Runtime reads beside them. */
  private static final Set<String> TRITON =
      Set.of(
          "inter_op_thread_count",
          "execution_mode",
          "enable_mem_arena",
          "enable_mem_pattern",
          "do_copy_in_default_stream",
          "memory.enable_memory_arena_shrinkage",
          "session.use_device_allocator_for_initializers");

  private ModelParameters() {}

  /**
   * Checks the values of what is known.
   *
   * @throws ConfigException that names the parameter
   */
  public static void require(Map<String, String> parameters) {
    Map<String, String> unused = Keys.under("parameters", () -> check(parameters));
  }

  /** Returns the CUDA provider's name of a value that was checked. */
  public static String cudaValue(String key, String value) {
    List<String> names = NUMBERED.get(key);
    return names == null || value.length() > 1 ? value : names.get(Integer.parseInt(value));
  }

  private static Map<String, String> check(Map<String, String> parameters) {
    new TreeMap<>(VALUES)
        .forEach(
            (key, values) -> {
              String value = parameters.get(key);
              if (value != null && !values.contains(value)) {
                throw new ConfigException(
                    key, "one of " + new TreeSet<>(values), "\"" + value + "\"");
              }
            });
    long unusedLimit = number(parameters, GPU_MEM_LIMIT, 1, Long.MAX_VALUE, 1);
    int unusedThreads = intraOpThreads(parameters);
    return parameters;
  }

  /** Returns the threads of one execution that Triton's parameter asks for; 0 for none. */
  static int intraOpThreads(Map<String, String> parameters) {
    return (int) number(parameters, INTRA_OP_THREADS, 0, Integer.MAX_VALUE, 0);
  }

  /** Returns what is there and read by nobody, as {@code key: why}. */
  static List<String> withoutEffect(Set<String> keys) {
    List<String> lines = new ArrayList<>();
    for (String key : new TreeSet<>(keys)) {
      if (TRITON.contains(key)) {
        lines.add("parameters." + key + ": no effect on this server");
      } else if (!isKnown(key)) {
        Set<String> known = new TreeSet<>(VALUES.keySet());
        known.add(GPU_MEM_LIMIT);
        known.add(INTRA_OP_THREADS);
        lines.add(
            "parameters."
                + key
                + ": not a parameter of this server, no effect"
                + Suggestions.nearest(key, known)
                    .map(name -> "; did you mean \"" + name + "\"?")
                    .orElse(""));
      }
    }
    return lines;
  }

  private static boolean isKnown(String key) {
    return VALUES.containsKey(key) || key.equals(GPU_MEM_LIMIT) || key.equals(INTRA_OP_THREADS);
  }

  private static long number(
      Map<String, String> parameters, String key, long least, long most, long otherwise) {
    String value = parameters.get(key);
    if (value == null) {
      return otherwise;
    }
    try {
      long number = Long.parseLong(value);
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // As good as a number that is none.
    }
    throw new ConfigException(
        key,
        "a whole number from " + least + (most == Long.MAX_VALUE ? "" : " to " + most),
        "\"" + value + "\"");
  }
}
