package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.ORT_DISABLE_ALL;
import static org.bytedeco.onnxruntime.global.onnxruntime.ORT_ENABLE_ALL;
import static org.bytedeco.onnxruntime.global.onnxruntime.ORT_LOGGING_LEVEL_FATAL;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelLoadException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.onnxruntime.IoBinding;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.SessionOptions;
import org.bytedeco.onnxruntime.Value;
import org.bytedeco.onnxruntime.ValueVector;
import org.jspecify.annotations.Nullable;

/**
 * A model in memory, for tools that look into models rather than serve them: no ledger, no slabs,
 * every run binds anew. Thread-confined: created, used and closed by one thread.
 */
public final class OnnxSession implements AutoCloseable {

  private final Session session;
  private final MemoryInfo memory = OnnxValues.cpuMemory();
  private final RunOptions runOptions = new RunOptions();
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;

  /**
   * How to open a model.
   *
   * @param threads of one run, the caller's included
   * @param optimise false runs the graph as it is written
   * @param optimisedFile where ONNX Runtime leaves the graph that it really runs, or null
   */
  public record Options(int threads, boolean optimise, @Nullable Path optimisedFile) {

    /** Runs as a server would, on so many threads. */
    public static Options threads(int threads) {
      return new Options(threads, true, null);
    }

    /** Runs the graph as it is written, on one thread. */
    public static Options asWritten() {
      return new Options(1, false, null);
    }
  }

  /**
   * Opens a model from the bytes of its file.
   *
   * @param what names it in messages
   * @throws ModelLoadException if ONNX Runtime refuses it
   */
  public OnnxSession(String what, byte[] model, Options options) {
    this.session = open(what, model, options);
    Path file = Path.of(what);
    try {
      this.inputs = OnnxModel.specs(file, session.GetInputNames(), session::GetInputTypeInfo);
      this.outputs = OnnxModel.specs(file, session.GetOutputNames(), session::GetOutputTypeInfo);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Returns the inputs as the model declares them, dynamic dimensions -1. */
  public List<TensorSpec> inputs() {
    return inputs;
  }

  /** Returns the outputs as ONNX Runtime infers them, dynamic dimensions -1. */
  public List<TensorSpec> outputs() {
    return outputs;
  }

  /**
   * Runs the model once.
   *
   * @param tensors one per input, in the model's order
   * @return one per output, in the model's order, on the heap
   * @throws ExecutionException if the run fails
   */
  public List<Tensor> run(List<Tensor> tensors) {
    try (Bound bound = bind(tensors)) {
      bound.run();
      return answers(bound.binding);
    }
  }

  /** Copies tensors to where the model can be run on them again and again, to be timed. */
  public Bound bind(List<Tensor> tensors) {
    return new Bound(tensors);
  }

  /** Inputs in native memory, bound to the session. Thread-confined; closed before the session. */
  public final class Bound implements AutoCloseable {

    private final List<Value> values = new ArrayList<>();
    private final List<BytePointer> pointers = new ArrayList<>();
    private final IoBinding binding = new IoBinding(session);

    private Bound(List<Tensor> tensors) {
      try {
        for (Tensor tensor : tensors) {
          BytePointer data = new BytePointer(Math.max(1, tensor.sizeBytes()));
          pointers.add(data);
          data.asByteBuffer().put(tensor.data().duplicate());
          Value value = OnnxValues.over(memory, tensor.type(), tensor.shape().toArray(), data);
          values.add(value);
          binding.BindInput(tensor.name(), value);
        }
        for (TensorSpec output : outputs) {
          binding.BindOutput(output.name(), memory.asOrtMemoryInfo());
        }
      } catch (RuntimeException e) {
        close();
        throw failed(e);
      }
    }

    /**
     * Runs the model; its outputs are dropped.
     *
     * @throws ExecutionException if the run fails
     */
    public void run() {
      try {
        session.Run(runOptions, binding);
      } catch (RuntimeException e) {
        throw failed(e);
      }
    }

    @Override
    public void close() {
      binding.close();
      values.forEach(Value::close);
      pointers.forEach(BytePointer::close);
    }
  }

  @Override
  public void close() {
    session.close();
    runOptions.close();
    memory.close();
  }

  private static ExecutionException failed(RuntimeException e) {
    return new ExecutionException(
        ExecutionException.Kind.RUN, "the model cannot be run: " + e.getMessage());
  }

  private List<Tensor> answers(IoBinding binding) {
    List<Tensor> answers = new ArrayList<>(outputs.size());
    try (ValueVector values = binding.GetOutputValues()) {
      for (int i = 0; i < outputs.size(); i++) {
        answers.add(OnnxValues.toTensor(outputs.get(i).name(), values.get(i)));
      }
    }
    return answers;
  }

  private static Session open(String what, byte[] model, Options options) {
    try (SessionOptions settings = new SessionOptions();
        BytePointer bytes = new BytePointer(model)) {
      settings.SetIntraOpNumThreads(options.threads());
      settings.SetInterOpNumThreads(1);
      // Failures come as exceptions; a tool that tries things does not want them logged too.
      settings.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
      settings.SetGraphOptimizationLevel(options.optimise() ? ORT_ENABLE_ALL : ORT_DISABLE_ALL);
      settings.AddConfigEntry("session.intra_op.allow_spinning", "0");
      Path optimised = options.optimisedFile();
      if (optimised != null) {
        try (BytePointer path = new BytePointer(optimised.toAbsolutePath().toString())) {
          settings.SetOptimizedModelFilePath(path);
        }
      }
      return new Session(OnnxBackend.environment(), bytes, model.length, settings);
    } catch (RuntimeException e) {
      throw new ModelLoadException(what + ": " + e.getMessage(), e);
    } catch (LinkageError e) {
      throw new ModelLoadException("ONNX Runtime cannot be used here: " + e, e);
    }
  }
}
