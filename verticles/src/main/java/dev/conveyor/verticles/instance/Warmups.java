package dev.conveyor.verticles.instance;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.Warmup;
import dev.conveyor.verticles.ServedModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the configured warm-ups on an instance's executor before it takes requests. Without any,
 * models of fixed shapes run one item of zeros, so that the first client does not pay for the first
 * run; a model that does not like zeros is served all the same. Called on the instance's thread.
 */
public final class Warmups {

  private static final Logger LOG = LoggerFactory.getLogger(Warmups.class);

  private record Request(int batchSize, List<Tensor> inputs) implements BatchRequest {}

  private Warmups() {}

  /**
   * Warms an executor up and returns it; the caller closes it, unless this fails.
   *
   * @param files data of the warm-ups, by the name in the configuration
   * @param isolation told whether the batch of {@link #probe} runs
   * @throws ModelLoadException if a configured warm-up cannot be run, or one that other instances
   *     have run
   */
  public static ModelExecutor run(
      ServedModel served, ModelExecutor executor, Map<String, byte[]> files, Isolation isolation) {
    try {
      if (served.config().warmups().isEmpty()) {
        runZeros(served, executor, isolation);
      } else {
        served.config().warmups().forEach(warmup -> run(served, executor, warmup, files));
        isolation.probeWorks();
      }
      return executor;
    } catch (RuntimeException | Error e) {
      executor.close();
      throw e;
    }
  }

  /**
   * Runs a synthetic batch: the first configured warm-up, or one item of zeros.
   *
   * @throws ExecutionException if it fails
   */
  public static void probe(ServedModel served, ModelExecutor executor, Map<String, byte[]> files) {
    synthetic(served, files).ifPresent(batch -> execute(served, executor, batch));
  }

  /** Returns the batch size of what {@link #probe} runs. */
  static int probeItems(ServedModel served) {
    List<Warmup> warmups = served.config().warmups();
    return warmups.isEmpty() ? 1 : batchSize(warmups.get(0));
  }

  private static int batchSize(Warmup warmup) {
    return Math.max(1, warmup.batchSize());
  }

  /**
   * Runs a synthetic batch, as {@link #probe}, on a model that is tried before it is loaded. Zeros
   * may be inputs that it refuses, which says nothing about others.
   *
   * @throws ExecutionException if what it gives is not what it declares, or not finite where it has
   *     to be; also if it runs out of memory, or its process ends
   */
  public static void tryOut(ServedModel served, ModelExecutor executor, Map<String, byte[]> files) {
    Optional<Request> request = synthetic(served, files);
    if (request.isEmpty()) {
      return;
    }
    BatchResult result;
    try {
      result = executor.execute(List.of(request.get()));
    } catch (ExecutionException e) {
      if (e.kind() == ExecutionException.Kind.RUN && served.config().warmups().isEmpty()) {
        LOG.info(
            "{}: not tried, the model does not run on zeros: {}", served.key(), e.getMessage());
        return;
      }
      throw e;
    }
    try {
      new OutputCheck(served.signature()).check(List.of(request.get()), result);
      String problem =
          served.config().extensions().rejectNonFinite()
              ? new FiniteCheck().problem(result.outputs().get(0))
              : null;
      if (problem != null) {
        throw new ExecutionException(ExecutionException.Kind.RUN, problem);
      }
    } finally {
      result.discard();
    }
  }

  private static Optional<Request> synthetic(ServedModel served, Map<String, byte[]> files) {
    List<Warmup> warmups = served.config().warmups();
    return warmups.isEmpty() ? zeros(served) : Optional.of(request(served, warmups.get(0), files));
  }

  private static void runZeros(ServedModel served, ModelExecutor executor, Isolation isolation) {
    Optional<Request> request = zeros(served);
    if (request.isEmpty()) {
      return;
    }
    try {
      execute(served, executor, request.get());
      isolation.probeWorks();
    } catch (ExecutionException e) {
      if (isolation.canProbe()) {
        throw new ModelLoadException("the synthetic batch fails: " + e.getMessage(), e);
      }
      LOG.info("{}: no warm-up, the model does not run on zeros: {}", served.key(), e.getMessage());
    }
  }

  private static Optional<Request> zeros(ServedModel served) {
    List<Tensor> inputs = new ArrayList<>();
    for (TensorSpec spec : served.signature().inputs()) {
      Shape shape = served.signature().batches() ? spec.shape().withFirst(1) : spec.shape();
      if (!shape.isStatic() || spec.type() == DataType.BYTES) {
        return Optional.empty();
      }
      inputs.add(WarmupData.zeros(spec, shape));
    }
    return Optional.of(new Request(1, inputs));
  }

  private static void execute(ServedModel served, ModelExecutor executor, Request request) {
    List<Request> batch = List.of(request);
    BatchResult result = executor.execute(batch);
    try {
      new OutputCheck(served.signature()).check(batch, result);
    } finally {
      result.discard();
    }
  }

  private static void run(
      ServedModel served, ModelExecutor executor, Warmup warmup, Map<String, byte[]> files) {
    Request request = request(served, warmup, files);
    try {
      for (int i = 0; i < warmup.count(); i++) {
        execute(served, executor, request);
      }
    } catch (ExecutionException e) {
      throw new ModelLoadException(
          "model_warmup '%s': %s".formatted(warmup.name(), e.getMessage()));
    }
  }

  private static Request request(ServedModel served, Warmup warmup, Map<String, byte[]> files) {
    int batchSize = batchSize(warmup);
    List<Tensor> inputs = new ArrayList<>();
    for (TensorSpec spec : served.signature().inputs()) {
      Warmup.Input input = warmup.inputs().get(spec.name());
      if (input == null) {
        throw new ModelLoadException(
            "model_warmup '%s': input '%s' is missing".formatted(warmup.name(), spec.name()));
      }
      Shape shape = served.signature().batches() ? input.dims().withBatch(batchSize) : input.dims();
      inputs.add(WarmupData.of(spec, shape, input, files));
    }
    return new Request(batchSize, served.reshaping().toModel(inputs));
  }
}
