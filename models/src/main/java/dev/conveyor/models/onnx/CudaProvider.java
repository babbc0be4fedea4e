package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.GetApi;
import static org.bytedeco.onnxruntime.global.onnxruntime.OrtRelease;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelParameters;
import java.util.LinkedHashMap;
import java.util.Map;
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
          "arena_extend_strategy",
          "kSameAsRequested",
          "cudnn_conv_algo_search",
          "EXHAUSTIVE",
          "cudnn_conv_use_max_workspace",
          "1",
          "use_tf32",
          "1",
          "prefer_nhwc",
          "0",
          ModelParameters.GPU_MEM_LIMIT,
          "");

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
    ModelParameters.require(parameters);
    settings.put("device_id", Integer.toString(device));
    DEFAULTS.keySet().stream()
        .sorted()
        .filter(key -> !key.equals(ModelParameters.GPU_MEM_LIMIT))
        .forEach(
            key ->
                settings.put(
                    key,
                    ModelParameters.cudaValue(key, parameters.getOrDefault(key, defaultOf(key)))));
    settings.put(
        ModelParameters.GPU_MEM_LIMIT,
        Long.toString(
            Math.min(
                arenaBytes, limit(parameters.get(ModelParameters.GPU_MEM_LIMIT), arenaBytes))));
    return settings;
  }

  private static String defaultOf(String key) {
    return DEFAULTS.getOrDefault(key, "");
  }

  private static long limit(@Nullable String value, long otherwise) {
    return value == null ? otherwise : Long.parseLong(value);
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
