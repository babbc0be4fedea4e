package dev.conveyor.scheduler;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One request as the scheduler sees it. Ownership of the inputs moves with it: front end,
 * scheduler, instance; whoever holds it last closes them.
 *
 * <p>Not thread-safe: one owner at a time. All times are {@link System#nanoTime} nanoseconds.
 */
public final class InferenceRequest implements BatchRequest, AutoCloseable {

  /** Value of {@link #deadlineNs} of a request that may wait without limit. */
  public static final long NO_DEADLINE = Long.MAX_VALUE;

  private final String model;
  private final String version;
  private final List<Tensor> inputs;
  private final int batchSize;
  private final int priority;
  private final long timeoutMicros;
  private final long arrivalNs;
  private final long preprocessNs;
  private final long deadlineNs;
  private final ReplyTo replyTo;
  private final @Nullable Object shapeKey;
  private final String tenant;
  private final UnaryOperator<List<Tensor>> outputs;
  private final long inputBytes;
  private final SchedulingNotes notes = new SchedulingNotes();
  private String trace = "";
  private boolean repeated;
  private int tries;

  /**
   * Shared by the executions of a request that runs twice at the same time; null if it does not.
   */
  private @Nullable Twins twins;

  /** Not thread-safe: owned by the scheduler. */
  private static final class Twins {
    int left = 2;
    int lost;
  }

  private long triedIn = -1;

  /**
   * Creates a request.
   *
   * @param version the concrete version that will serve it
   * @param batchSize first dimension; 1 for a model that does not batch
   * @param priority level, 1 the highest; 0 takes the model's default
   * @param timeoutMicros the request's own {@code timeout} parameter; 0 for none
   * @param arrivalNs when the front end had the whole request
   * @param preprocessNs of the time since then, what was spent on turning images into tensors
   * @param deadlineNs when the client stops waiting, or {@link #NO_DEADLINE}
   * @param shapeKey stands for the inputs' shapes without the batch dimension; only requests with
   *     equal keys share a batch; null for a model whose shapes are fixed
   */
  public InferenceRequest(
      String model,
      String version,
      List<Tensor> inputs,
      int batchSize,
      int priority,
      long timeoutMicros,
      long arrivalNs,
      long preprocessNs,
      long deadlineNs,
      ReplyTo replyTo,
      @Nullable Object shapeKey) {
    this(
        model,
        version,
        inputs,
        batchSize,
        priority,
        timeoutMicros,
        arrivalNs,
        preprocessNs,
        deadlineNs,
        replyTo,
        shapeKey,
        "");
  }

  /**
   * Creates a request of a tenant.
   *
   * @param tenant who shares the model with others; empty for clients that do not say
   */
  public InferenceRequest(
      String model,
      String version,
      List<Tensor> inputs,
      int batchSize,
      int priority,
      long timeoutMicros,
      long arrivalNs,
      long preprocessNs,
      long deadlineNs,
      ReplyTo replyTo,
      @Nullable Object shapeKey,
      String tenant) {
    this(
        model,
        version,
        inputs,
        batchSize,
        priority,
        timeoutMicros,
        arrivalNs,
        preprocessNs,
        deadlineNs,
        replyTo,
        shapeKey,
        tenant,
        UnaryOperator.identity());
  }

  /**
   * Creates a request whose answer is not what the model gives.
   *
   * @param outputs makes the answer of what the model gives, and takes that over; called by whoever
   *     answers
   */
  public InferenceRequest(
      String model,
      String version,
      List<Tensor> inputs,
      int batchSize,
      int priority,
      long timeoutMicros,
      long arrivalNs,
      long preprocessNs,
      long deadlineNs,
      ReplyTo replyTo,
      @Nullable Object shapeKey,
      String tenant,
      UnaryOperator<List<Tensor>> outputs) {
    this.outputs = outputs;
    this.model = model;
    this.version = version;
    this.inputs = inputs;
    this.batchSize = batchSize;
    this.priority = priority;
    this.timeoutMicros = timeoutMicros;
    this.arrivalNs = arrivalNs;
    this.preprocessNs = preprocessNs;
    this.deadlineNs = deadlineNs;
    this.replyTo = replyTo;
    this.shapeKey = shapeKey;
    this.tenant = tenant;
    long bytes = 0;
    for (int i = 0; i < inputs.size(); i++) {
      bytes += inputs.get(i).sizeBytes();
    }
    this.inputBytes = bytes;
  }

  /** Makes the answer of what the model gave, which is taken over. */
  public List<Tensor> answer(List<Tensor> given) {
    return outputs.apply(given);
  }

  public String model() {
    return model;
  }

  public String version() {
    return version;
  }

  @Override
  public List<Tensor> inputs() {
    return inputs;
  }

  @Override
  public int batchSize() {
    return batchSize;
  }

  public int priority() {
    return priority;
  }

  public long timeoutMicros() {
    return timeoutMicros;
  }

  public long arrivalNs() {
    return arrivalNs;
  }

  public long preprocessNs() {
    return preprocessNs;
  }

  public long deadlineNs() {
    return deadlineNs;
  }

  public ReplyTo replyTo() {
    return replyTo;
  }

  public @Nullable Object shapeKey() {
    return shapeKey;
  }

  /** Returns who shares the model with others; empty for clients that do not say. */
  public String tenant() {
    return tenant;
  }

  /** Says which trace of the client's it belongs to; before anybody else has it. */
  public void traced(String traceParent) {
    trace = traceParent;
  }

  /** Returns the {@code traceparent} of the client; empty if it sent none. */
  public String trace() {
    return trace;
  }

  /** Returns the size of all inputs. */
  public long inputBytes() {
    return inputBytes;
  }

  /** Returns what the scheduler writes down about it. */
  public SchedulingNotes notes() {
    return notes;
  }

  /** Returns true if it was given to an instance before, which was lost. */
  public boolean isRepeated() {
    return repeated;
  }

  /** An instance begins to execute it in this batch, perhaps not for the first time. */
  public void triedIn(long batchId) {
    if (batchId != triedIn) {
      triedIn = batchId;
      tries++;
    }
  }

  /** Returns in how many batches it was executed that may have suffered from it. */
  int tries() {
    return twins == null ? tries : tries + twins.lost;
  }

  /**
   * Takes note that the instance of this execution was lost. Returns true if the request also runs
   * on another one, which will answer it.
   */
  boolean runsElsewhere() {
    Twins both = twins;
    if (both == null) {
      return false;
    }
    both.left--;
    if (both.left == 0) {
      return false;
    }
    both.lost++;
    return true;
  }

  /**
   * Returns the same request for a second instance: what answers first wins. Null if its inputs are
   * gone.
   */
  @Nullable InferenceRequest hedge() {
    InferenceRequest copy = shared();
    if (copy != null) {
      Twins both = new Twins();
      twins = both;
      copy.twins = both;
    }
    return copy;
  }

  /** Marks this request, which came back from a lost instance, as one that runs again. */
  InferenceRequest repeat() {
    repeated = true;
    return this;
  }

  /**
   * Returns the same request, to be run again while a lost instance may still read the inputs of
   * this one: they are shared, and go back when both are closed. Null if they are gone.
   */
  @Nullable InferenceRequest repeatShared() {
    InferenceRequest again = shared();
    if (again != null) {
      again.tries = tries();
      return again.repeat();
    }
    return null;
  }

  /** Returns the same request with inputs that are shared, or null if they are gone. */
  private @Nullable InferenceRequest shared() {
    List<Tensor> shared = new ArrayList<>(inputs.size());
    for (Tensor input : inputs) {
      Tensor share = input.tryShare();
      if (share == null) {
        shared.forEach(Tensor::close);
        return null;
      }
      shared.add(share);
    }
    InferenceRequest same =
        new InferenceRequest(
            model,
            version,
            shared,
            batchSize,
            priority,
            timeoutMicros,
            arrivalNs,
            preprocessNs,
            deadlineNs,
            replyTo,
            shapeKey,
            tenant,
            outputs);
    same.trace = trace;
    return same;
  }

  /** Closes the inputs. */
  @Override
  public void close() {
    for (int i = 0; i < inputs.size(); i++) {
      inputs.get(i).close();
    }
  }
}
