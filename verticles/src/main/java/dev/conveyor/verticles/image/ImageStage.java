package dev.conveyor.verticles.image;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.TensorConfig;
import dev.conveyor.models.image.ImagePreprocessor;
import dev.conveyor.models.image.ImageTensors;
import dev.conveyor.scheduler.CoreBudget;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.admission.AdmissionRule.Preparation;
import dev.conveyor.scheduler.fairness.FairTurns.Backlog;
import dev.conveyor.scheduler.fairness.FairTurns.Owner;
import dev.conveyor.verticles.CoreWorkers;
import dev.conveyor.verticles.ImageInputs;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * The workers that decode images, as many as there are cores, shared by all models. While a batch
 * computes, the images of the next are decoded, on what its {@link CoreBudget} leaves. Models share
 * it by weight.
 *
 * <p>Thread-safe. Bounded: beyond {@link #MAX_WAITING} requests of a model the answer is an
 * immediate refusal.
 */
public final class ImageStage {

  /** Requests of one load of a model that wait for a worker or are on one. */
  static final int MAX_WAITING = 1024;

  /** Name of the threads that decode. They run at the lowest priority of the system. */
  public static final String THREADS = "image";

  private final CoreWorkers workers;
  private final BufferPool pool;
  private final long maxPixels;

  /**
   * Creates the stage.
   *
   * @param budget which cores are left to it
   * @param pool where the pixels go
   * @param maxPixels largest image, checked before it is decoded
   */
  public ImageStage(Vertx vertx, int cores, CoreBudget budget, BufferPool pool, long maxPixels) {
    this.workers =
        new CoreWorkers(
            vertx,
            THREADS,
            cores,
            budget,
            CoreBudget.Work.DECODE,
            "too many requests for the model wait for image decoding already");
    this.pool = pool;
    this.maxPixels = maxPixels;
  }

  /** Returns the preprocessing of the CPU that a completed configuration asks for. */
  public ImageInputs of(ModelConfig config) {
    return of(config, false);
  }

  /**
   * Returns the preprocessing that a completed configuration asks for.
   *
   * @param onDevices whether every instance decodes images by itself: then they are only checked
   *     here, where the configuration does not say {@code CPU}
   */
  public ImageInputs of(ModelConfig config, boolean onDevices) {
    if (config.extensions().preprocessing().isEmpty()) {
      return ImageInputs.NONE;
    }
    Map<String, Input> inputs = new HashMap<>();
    for (Preprocessing block : config.extensions().preprocessing()) {
      ImageTensors images = new ImageTensors(new ImagePreprocessor(block, maxPixels), pool);
      inputs.put(
          block.input(),
          new Input(
              images,
              dims(config, block.input()),
              block.boxes(),
              onDevices && block.device() != Preprocessing.Device.CPU));
    }
    Owner owner = new Owner(config.extensions().weight(), MAX_WAITING);
    return new ModelImages(inputs, config.maxBatchSize(), owner);
  }

  /** Stops the workers once they are idle. */
  public Future<Void> close() {
    return workers.close();
  }

  /** One input that takes images; {@code dims} as configured, without the batch dimension. */
  private record Input(
      ImageTensors images, Shape dims, List<Preprocessing.Boxes> boxes, boolean late) {}

  private static Shape dims(ModelConfig config, String input) {
    return config.inputs().stream()
        .filter(i -> i.name().equals(input))
        .map(TensorConfig::dims)
        .findFirst()
        .orElseThrow();
  }

  /** The preprocessing of one model. Thread-safe. */
  private final class ModelImages implements ImageInputs {

    private final Map<String, Input> byName;
    private final int maxBatchSize;
    private final Owner owner;

    ModelImages(Map<String, Input> byName, int maxBatchSize, Owner owner) {
      this.byName = byName;
      this.maxBatchSize = maxBatchSize;
      this.owner = owner;
    }

    @Override
    public boolean applyTo(List<Tensor> inputs) {
      for (Tensor tensor : inputs) {
        if (takesImages(tensor)) {
          return true;
        }
      }
      return false;
    }

    @Override
    public Preparation ahead() {
      Backlog backlog = workers.backlog(owner);
      return backlog.doneNs() == 0
          ? Preparation.NONE
          : new Preparation(backlog.pieces(), backlog.doneNs());
    }

    @Override
    public Preparation work() {
      Backlog backlog = workers.backlog(owner); // whoever asks is one of its pieces
      return backlog.pieces() <= 1 || backlog.pieceNs() == 0
          ? Preparation.NONE
          : new Preparation(0, backlog.pieceNs());
    }

    @Override
    public Future<Prepared> preprocess(List<Tensor> inputs, ReplyTo reply, Runnable admission) {
      return workers.run(
          owner,
          () -> {
            // Where batches keep all cores busy, the one image beside them takes what they leave.
            ThreadPriority.lowerThisThread();
            return decode(inputs, reply, admission);
          },
          () -> inputs.forEach(Tensor::close));
    }

    private Prepared decode(List<Tensor> inputs, ReplyTo reply, Runnable admission) {
      List<Tensor> ready = new ArrayList<>(inputs.size());
      UnaryOperator<List<Tensor>> outputs = UnaryOperator.identity();
      boolean reads = false;
      try {
        if (reply.isDone()) {
          throw new InferenceException(ErrorCode.CANCELLED, "cancelled before decoding");
        }
        admission.run();
        for (Tensor tensor : inputs) {
          Input input = tensor.type() == DataType.BYTES ? byName.get(tensor.name()) : null;
          if (input == null) {
            ready.add(tensor);
            continue;
          }
          ImageTensors.Fitted fitted =
              input.late()
                  ? input.images().fitLate(tensor, maxBatchSize)
                  : input.images().fit(tensor, maxBatchSize);
          ready.add(withoutBatch(fitted.tensor(), input.dims()));
          if (!input.boxes().isEmpty()) {
            SourceBoxes boxes = new SourceBoxes(input.boxes(), fitted.size(), fitted.placements());
            UnaryOperator<List<Tensor>> before = outputs;
            reads = true;
            outputs = given -> boxes.apply(before.apply(given));
          }
        }
        inputs.stream().filter(this::isDone).forEach(Tensor::close);
        return new Prepared(ready, outputs, reads);
      } catch (RuntimeException | Error e) {
        ready.forEach(Tensor::close);
        inputs.forEach(Tensor::close);
        throw e;
      }
    }

    private Tensor withoutBatch(Tensor pixels, Shape dims) {
      if (maxBatchSize > 0) {
        return pixels;
      }
      Shape whole = pixels.shape(); // of one image
      return dims.rank() == whole.rank() ? pixels : pixels.reshaped(whole.withoutFirst());
    }

    /** Returns whether its images were decoded; otherwise what was made of it owns it. */
    private boolean isDone(Tensor tensor) {
      Input input = tensor.type() == DataType.BYTES ? byName.get(tensor.name()) : null;
      return input != null && !input.late();
    }

    private boolean takesImages(Tensor tensor) {
      return tensor.type() == DataType.BYTES && byName.containsKey(tensor.name());
    }
  }
}
