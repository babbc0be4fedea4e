package dev.conveyor.verticles.ensemble;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepDevice;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.scheduler.CoreBudget;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.CoreWorkers;
import dev.conveyor.verticles.image.ImageStage;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.List;
import java.util.function.BiPredicate;
import org.jspecify.annotations.Nullable;

/**
 * The workers of steps that need no model, as many as there are cores, shared by all ensembles.
 *
 * <p>Thread-safe. Bounded: beyond {@link CoreShares#MAX_WAITING} steps of an ensemble the answer is
 * an immediate refusal.
 */
public final class StepStage {

  /**
   * The request that a step belongs to.
   *
   * @param reply work that nobody waits for any more is not begun
   * @param deadlines nor is what would be late
   * @param shares of its ensemble
   */
  record Request(ReplyTo reply, Deadlines deadlines, CoreShares shares) {}

  private final BufferPool memory;
  private final long maxImagePixels;
  private final List<? extends StepDevice> devices;
  private final CoreWorkers workers;
  private final CoreWorkers decoders;

  /** Creates workers that have the machine to themselves. */
  public StepStage(Vertx vertx, int cores) {
    this(
        vertx,
        cores,
        new CoreBudget(cores),
        new BufferPool(BlockAllocator.host(), Long.MAX_VALUE),
        Long.MAX_VALUE);
  }

  /**
   * Creates workers that leave cores to the batches.
   *
   * @param memory of all requests, which what steps give counts against; not owned
   * @param maxImagePixels images of more are not decoded
   */
  public StepStage(
      Vertx vertx, int cores, CoreBudget budget, BufferPool memory, long maxImagePixels) {
    this(vertx, cores, budget, memory, maxImagePixels, List.of());
  }

  /**
   * Creates workers that leave cores to the batches, and some of whose work GPUs do.
   *
   * @param devices those GPUs
   */
  public StepStage(
      Vertx vertx,
      int cores,
      CoreBudget budget,
      BufferPool memory,
      long maxImagePixels,
      List<? extends StepDevice> devices) {
    this.devices = devices;
    this.memory = memory;
    this.maxImagePixels = maxImagePixels;
    this.workers = workers(vertx, "step", cores, budget, CoreBudget.Work.STEP);
    // The threads of the images of models: an executor of Vert.x is shared by its name.
    this.decoders = workers(vertx, ImageStage.THREADS, cores, budget, CoreBudget.Work.DECODE);
  }

  private static CoreWorkers workers(
      Vertx vertx, String name, int cores, CoreBudget budget, CoreBudget.Work kind) {
    return new CoreWorkers(
        vertx,
        name,
        cores,
        budget,
        kind,
        "too many steps of the ensemble wait for a worker already");
  }

  /** Runs a step. Takes over the inputs; the future completes on the caller's context. */
  Future<List<Tensor>> run(Step step, List<Tensor> inputs, Request request) {
    return run(step, inputs, request, null, (device, output) -> false);
  }

  /**
   * Runs a step, as above.
   *
   * @param meter told how it went once it was begun; null for work that nobody asks about
   * @param staying as {@link StepResources#mayStay}
   */
  Future<List<Tensor>> run(
      Step step,
      List<Tensor> inputs,
      Request request,
      @Nullable StepMeter meter,
      BiPredicate<String, String> staying) {
    Runnable refused = () -> inputs.forEach(Tensor::close);
    if (step.decodesImages()) {
      return decoders.run(
          request.shares().decoders(),
          () -> {
            ThreadPriority.lowerThisThread();
            return runNow(step, inputs, request, meter, staying);
          },
          refused);
    }
    return workers.run(
        request.shares().workers(), () -> runNow(step, inputs, request, meter, staying), refused);
  }

  /** Returns whether steps that work where their input lies may do it on a device. */
  boolean worksOn(String device) {
    return devices.stream().anyMatch(d -> d.name().equals(device) && d.worksOnPixels());
  }

  /** Returns whether models on one device read what lies on another from there. */
  boolean reads(String reader, String device) {
    return reader.equals(device)
        || devices.stream().anyMatch(d -> d.name().equals(reader) && d.readsFrom(device));
  }

  /** Stops the workers once they are idle. */
  public Future<Void> close() {
    return Future.join(workers.close(), decoders.close()).mapEmpty();
  }

  /** Returns what a run of a step may use. */
  StepResources resources() {
    return new StepResources(memory, maxImagePixels);
  }

  /** As {@link StepResources#counted}. */
  List<Tensor> counted(List<Tensor> tensors, int fromBytes) {
    return StepResources.counted(memory, tensors, fromBytes);
  }

  private List<Tensor> runNow(
      Step step,
      List<Tensor> inputs,
      Request request,
      @Nullable StepMeter meter,
      BiPredicate<String, String> staying) {
    try {
      if (request.reply().isDone()) {
        throw new InferenceException(ErrorCode.CANCELLED, "cancelled before the step");
      }
      InferenceException late = request.deadlines().over();
      if (late != null) {
        throw late;
      }
      StepResources resources = new StepResources(memory, maxImagePixels, staying, devices);
      return meter == null ? resources.run(step, inputs) : metered(step, inputs, meter, resources);
    } finally {
      inputs.forEach(Tensor::close);
    }
  }

  private static List<Tensor> metered(
      Step step, List<Tensor> inputs, StepMeter meter, StepResources resources) {
    long startNs = System.nanoTime();
    List<Tensor> outputs;
    try {
      outputs = resources.run(step, inputs);
    } catch (RuntimeException | Error e) {
      meter.failed();
      throw e;
    }
    meter.ran(startNs);
    return outputs;
  }
}
