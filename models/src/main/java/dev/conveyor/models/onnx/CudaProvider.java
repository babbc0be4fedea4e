package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.GetApi;
import static org.bytedeco.onnxruntime.global.onnxruntime.OrtRelease;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.onnxruntime.OrtCUDAProviderOptionsV2;
import org.bytedeco.onnxruntime.OrtStatus;
import org.bytedeco.onnxruntime.SessionOptions;
import org.jspecify.annotations.Nullable;

/**
 * The settings of ONNX Runtime's CUDA provider. Stateless.
 *
 * <p>What a model's {@code parameters} may say has the names that the provider gives it; everything
 * else follows from how instances run here: on the device and stream given, with an arena that
 * takes what is asked for and no more than its share.
 */
final class CudaProvider {

  /** Keys that a configuration may set, with what they are set to if it does not. */
  private static final Map<String, String> DEFAULTS =
      Map.of(
          "arena_extend_strategy", "kSameAsRequested",
          "cudnn_conv_algo_search", "EXHAUSTIVE",
          "cudnn_conv_use_max_workspace", "1",
          "use_tf32", "1",
          "prefer_nhwc", "0",
          "gpu_mem_limit", "");

  private static final Map<String, Set<String>> ALLOWED =
      Map.of(
          "arena_extend_strategy", Set.of("kSameAsRequested", "kNextPowerOfTwo"),
          "cudnn_conv_algo_search", Set.of("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
          "cudnn_conv_use_max_workspace", Set.of("0", "1"),
          "use_tf32", Set.of("0", "1"),
          "prefer_nhwc", Set.of("0", "1"));

  private static final String CAUSE = " with error: ";

  private CudaProvider() {}

  /**
   * Returns the provider's settings.
   *
   * @param arenaBytes most that its arena may hold, unless the parameters say less
   * @throws ConfigException if a parameter has a value that the provider does not know
   */
  static Map<String, String> settings(int device, long arenaBytes, Map<String, String> parameters) {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("device_id", Integer.toString(device));
    DEFAULTS.keySet().stream()
        .sorted()
        .filter(key -> !key.equals("gpu_mem_limit"))
        .forEach(key -> settings.put(key, allowed(key, parameters)));
    settings.put(
        "gpu_mem_limit",
        Long.toString(Math.min(arenaBytes, limit(parameters.get("gpu_mem_limit"), arenaBytes))));
    return settings;
  }

  private static String allowed(String key, Map<String, String> parameters) {
    String value = parameters.getOrDefault(key, DEFAULTS.getOrDefault(key, ""));
    Set<String> known = ALLOWED.getOrDefault(key, Set.of());
    if (!known.contains(value)) {
      throw new ConfigException(
          "parameters." + key, "one of " + known.stream().sorted().toList(), "\"" + value + "\"");
    }
    return value;
  }

  private static long limit(@Nullable String value, long otherwise) {
    if (value == null) {
      return otherwise;
    }
    try {
      long bytes = Long.parseLong(value);
      if (bytes > 0) {
        return bytes;
      }
    } catch (NumberFormatException e) {
      // As good as a number that is none.
    }
    throw new ConfigException("parameters.gpu_mem_limit", "bytes, 1 or more", "\"" + value + "\"");
  }

  /**
   * Has sessions run on the device.
   *
   * @param stream that everything is enqueued on
   * @throws ModelLoadException if the provider or a library that it needs is missing
   */
  static void append(SessionOptions options, Map<String, String> settings, long stream) {
    try (OrtCUDAProviderOptionsV2 provider = create()) {
      try (PointerPointer<BytePointer> keys =
              new PointerPointer<>(settings.keySet().toArray(new String[0]));
          PointerPointer<BytePointer> values =
              new PointerPointer<>(settings.values().toArray(new String[0]))) {
        check(GetApi().UpdateCUDAProviderOptions(provider, keys, values, settings.size()));
        check(
            GetApi()
                .UpdateCUDAProviderOptionsWithValue(
                    provider, "user_compute_stream", new At(stream)));
        options.AppendExecutionProvider_CUDA_V2(provider);
      } finally {
        OrtRelease(provider);
      }
    }
  }

  /** Returns why the provider cannot be used here, in one line; empty if it can. */
  static String unavailable() {
    try (SessionOptions options = new SessionOptions()) {
      append(options, settings(0, 1, Map.of()), 0); // Loads the provider and what it needs.
      return "";
    } catch (RuntimeException e) {
      return oneLine(String.valueOf(e.getMessage()));
    } catch (LinkageError e) {
      return "ONNX Runtime cannot be used here: " + e.getMessage();
    }
  }

  private static OrtCUDAProviderOptionsV2 create() {
    OrtCUDAProviderOptionsV2 provider = new OrtCUDAProviderOptionsV2();
    check(GetApi().CreateCUDAProviderOptions(provider));
    return provider;
  }

  private static void check(@Nullable OrtStatus status) {
    if (status != null && !status.isNull()) {
      String message = GetApi().GetErrorMessage().call(status).getString();
      GetApi().ReleaseStatus(status);
      throw new ModelLoadException(oneLine(message));
    }
  }

  /** ONNX Runtime says where in its source it was, and which file it was loading, before that. */
  private static String oneLine(String message) {
    String line = message.lines().findFirst().orElse("the CUDA provider gives no reason");
    int cause = line.indexOf(CAUSE);
    return cause < 0 ? line : line.substring(cause + CAUSE.length());
  }

  /** A pointer to what is not ours, such as device memory. */
  static final class At extends Pointer {
    At(long where) {
      address = where;
    }
  }
}
