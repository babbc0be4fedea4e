package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.ORT_ENABLE_ALL;
import static org.bytedeco.onnxruntime.global.onnxruntime.ORT_LOGGING_LEVEL_ERROR;
import static org.bytedeco.onnxruntime.global.onnxruntime.OrtSessionOptionsAppendExecutionProvider_Dnnl;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.Natives;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelParameters;
import dev.conveyor.models.device.LoadMeter;
import dev.conveyor.models.device.PatientLock;
import dev.conveyor.models.onnx.LoadedBytes.Opened;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.onnxruntime.Env;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.SessionOptions;
import org.bytedeco.onnxruntime.global.onnxruntime;

/** Opens ONNX files. Thread-safe. The natives are unpacked and linked by the first load. */
public final class OnnxBackend implements Backend {

  /** Parameter of a model's configuration that says which kernels execute it on a CPU. */
  public static final String PROVIDER_PARAMETER = ModelParameters.EXECUTION_PROVIDER;

  private static final String CPU = "cpu";
  private static final String DNNL = "dnnl";

  private static final LoadedBytes LOADED_BYTES =
      new LoadedBytes(new PatientLock(LoadMeter.PATIENCE));

  static {
    Natives.ready();
  }

  private final LoadedBytes loadedBytes;

  /** For the service loader. */
  public OnnxBackend() {
    this(LOADED_BYTES);
  }

  OnnxBackend(LoadedBytes loadedBytes) {
    this.loadedBytes = loadedBytes;
  }

  /** One environment per process, as ONNX Runtime demands; lives until the process ends. */
  private static final class Environment {
    private static final Env ENV = new Env(ORT_LOGGING_LEVEL_ERROR, "conveyor");
  }

  /** Returns the process's environment. */
  static Env environment() {
    return Environment.ENV;
  }

  /**
   * Unpacks and links the natives, which takes a while, so that the first load need not. For a
   * process in a hurry, beside other things.
   *
   * @throws LinkageError if this machine cannot run them; so does the first load then
   */
  public static void prepare() {
    Loader.load(onnxruntime.class);
  }

  @Override
  public String name() {
    return "onnxruntime";
  }

  @Override
  public String version() {
    try (BytePointer version = onnxruntime.GetVersionString()) {
      return version.getString();
    }
  }

  @Override
  public void warmUp() {
    OnnxWarmUp.run(this);
  }

  @Override
  public LoadedModel load(Path file, LoadOptions options) {
    long fileBytes = sizeOf(file);
    return load(
        file,
        options,
        fileBytes,
        session -> {
          try (BytePointer path = new BytePointer(file.toAbsolutePath().toString())) {
            return new Session(Environment.ENV, path, session);
          }
        });
  }

  /**
   * Loads a model that is in no file.
   *
   * @param name of it, for messages
   */
  LoadedModel load(Path name, byte[] model, LoadOptions options) {
    return load(
        name,
        options,
        model.length,
        session -> {
          try (BytePointer bytes = new BytePointer(model)) {
            return new Session(Environment.ENV, bytes, model.length, session);
          }
        });
  }

  private LoadedModel load(
      Path file, LoadOptions options, long fileBytes, Function<SessionOptions, Session> opener) {
    Opened opened;
    try {
      opened =
          loadedBytes.open(
              () -> open(file, options, opener),
              options.budget(),
              () -> options.budget().reserve(options.owner() + "/weights", fileBytes));
    } catch (BudgetExceededException e) {
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    }
    try {
      return new OnnxModel(file, opened.session(), opened.weights(), options);
    } catch (RuntimeException | Error e) {
      opened.weights().close();
      throw e;
    }
  }

  @Override
  public Optional<Declared> declared(Path file) {
    return OnnxHeader.read(file);
  }

  /** Returns the kernels that models can be executed by on a CPU, ONNX Runtime's own first. */
  public static List<String> providers() {
    return List.of(CPU, DNNL);
  }

  private static Session open(
      Path file, LoadOptions load, Function<SessionOptions, Session> opener) {
    String provider = load.parameters().getOrDefault(PROVIDER_PARAMETER, CPU);
    if (!providers().contains(provider)) {
      throw new ModelLoadException(
          "%s: parameters.%s: expected one of %s, found \"%s\""
              .formatted(file, PROVIDER_PARAMETER, providers(), provider));
    }
    try (SessionOptions options = new SessionOptions()) {
      options.SetIntraOpNumThreads(load.intraOpThreads());
      if (provider.equals(DNNL)) {
        // Its arena would keep memory that the ledger does not know.
        OrtSessionOptionsAppendExecutionProvider_Dnnl(options.asOrtSessionOptions(), 0);
      }
      options.SetInterOpNumThreads(1);
      options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
      // Spinning threads would take the cores that other instances compute on.
      options.AddConfigEntry("session.intra_op.allow_spinning", "0");
      return opener.apply(options);
    } catch (RuntimeException e) {
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    } catch (LinkageError e) {
      throw new ModelLoadException("ONNX Runtime cannot be used here: " + e, e);
    }
  }

  private static long sizeOf(Path file) {
    try {
      long bytes = Files.size(file);
      if (bytes == 0) {
        throw new ModelLoadException(file + ": the file is empty");
      }
      return bytes;
    } catch (IOException e) {
      throw new ModelLoadException(file + ": " + e, e);
    }
  }
}
