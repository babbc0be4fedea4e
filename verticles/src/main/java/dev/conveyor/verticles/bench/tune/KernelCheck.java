package dev.conveyor.verticles.bench.tune;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.optimize.evaluate.Agreement;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior.Kernel;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Payloads;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Compares what a provider answers with what ONNX Runtime's own kernels answer, over batches of
 * changing size: a provider that is fast and wrong is none. Stateless; blocks.
 */
final class KernelCheck {

  /** Kernels may sum in another order; integer kernels may round a step apart. */
  private static final double MOST_RELATIVE_ERROR = 1e-2;

  private KernelCheck() {}

  /**
   * Runs one item, a full batch and one item again.
   *
   * @param largest batch; 0 for models that do not batch
   * @throws ModelLoadException if answers differ
   * @throws dev.conveyor.models.backend.ExecutionException if a run fails
   */
  static void require(Path modelFile, Kernel kernel, int largest) {
    if (kernel.provider().equals(Setting.CPU)) {
      return;
    }
    Kernel trusted = new Kernel(kernel.version(), Setting.CPU, kernel.threads());
    Agreement agreement = new Agreement();
    List<List<Tensor>> expected = answers(modelFile, trusted, largest);
    List<List<Tensor>> found = answers(modelFile, kernel, largest);
    for (int i = 0; i < expected.size(); i++) {
      agreement.add(expected.get(i), found.get(i));
    }
    if (!(agreement.worstRelativeError() <= MOST_RELATIVE_ERROR)) {
      throw new ModelLoadException(
          String.format(
              Locale.ROOT,
              "%s: %s differs from ONNX Runtime's own kernels by %.3f of the largest output,"
                  + " expected at most %.2f",
              modelFile,
              kernel.provider(),
              agreement.worstRelativeError(),
              MOST_RELATIVE_ERROR));
    }
  }

  private static List<List<Tensor>> answers(Path modelFile, Kernel kernel, int largest) {
    LoadOptions options =
        new LoadOptions(
            "tune",
            kernel.threads(),
            new MemoryBudget("tune", Long.MAX_VALUE),
            Map.of(OnnxBackend.PROVIDER_PARAMETER, kernel.provider()));
    List<List<Tensor>> answers = new ArrayList<>();
    try (LoadedModel model = new OnnxBackend().load(modelFile, options);
        ModelExecutor executor = model.newExecutor(largest)) {
      for (int size : largest > 1 ? new int[] {1, largest, 1} : new int[] {1, 1}) {
        Request request = new Request(size, inputs(model.inputs(), size));
        answers.add(
            executor.execute(List.of(request)).outputs().get(0).stream()
                .map(KernelCheck::copy)
                .toList());
      }
    }
    return answers;
  }

  private static List<Tensor> inputs(List<TensorSpec> specs, int size) {
    InferPayload payload =
        Payloads.synthetic("check", specs, List.of(), size, Payloads.Fill.RANDOM).get(0);
    return payload.inputs().stream()
        .map(t -> Tensor.of(t.name(), t.type(), t.shape(), ByteBuffer.wrap(t.data().getBytes())))
        .toList();
  }

  /** Returns the tensor on the heap, and closes it. */
  private static Tensor copy(Tensor output) {
    try (output) {
      byte[] bytes = new byte[output.sizeBytes()];
      output.data().get(0, bytes);
      return Tensor.of(output.name(), output.type(), output.shape(), ByteBuffer.wrap(bytes));
    }
  }

  private record Request(int batchSize, List<Tensor> inputs) implements BatchRequest {}
}
