package dev.conveyor.scheduler;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiPredicate;
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
  private String version;
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
  private final @Nullable BiPredicate<String, String> staying;
  private final long inputBytes;
  private final SchedulingNotes notes = new SchedulingNotes();
  private final String trace;
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

  private InferenceRequest(Builder from) {
    this.outputs = from.outputs;
    this.model = from.model;
    this.version = from.version;
    this.inputs = from.inputs;
    this.batchSize = from.batchSize;
    this.priority = from.priority;
    this.timeoutMicros = from.timeoutMicros;
    this.arrivalNs = from.arrivalNs;
    this.preprocessNs = from.preprocessNs;
    this.deadlineNs = from.deadlineNs;
    this.replyTo = from.replyTo;
    this.shapeKey = from.shapeKey;
    this.tenant = from.tenant;
    this.trace = from.trace;
    this.staying = from.staying;
    long bytes = 0;
    for (int i = 0; i < inputs.size(); i++) {
      bytes += inputs.get(i).sizeBytes();
    }
    this.inputBytes = bytes;
  }

  /**
   * Begins a request of one item that came at time 0 and may wait without limit.
   *
   * @param version the concrete version that will serve it
   * @param inputs taken over
   */
  public static Builder of(String model, String version, List<Tensor> inputs, ReplyTo replyTo) {
    return new Builder(model, version, inputs, replyTo);
  }

  /** Returns the earlier of two deadlines, either of which may be {@link #NO_DEADLINE}. */
  public static long earlierNs(long aNs, long bNs) {
    if (aNs == NO_DEADLINE || bNs == NO_DEADLINE) {
      return Math.min(aNs, bNs);
    }
    return aNs - bNs <= 0 ? aNs : bNs;
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

  @Override
  public boolean mayStay(String device, String output) {
    return staying != null && staying.test(device, output);
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

  /** From now on another deployment is to run it, which takes the same inputs. */
  void moveTo(String successor) {
    version = successor;
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
    if (both == null || both.left == 0) {
      return false;
    }
    both.left--;
    if (both.left == 0) {
      return false;
    }
    both.lost += tries > 0 ? 1 : 0;
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
    tries = tries();
    twins = null;
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
    Builder same = of(model, version, shared, replyTo);
    same.batchSize = batchSize;
    same.priority = priority;
    same.timeoutMicros = timeoutMicros;
    same.arrivalNs = arrivalNs;
    same.preprocessNs = preprocessNs;
    same.deadlineNs = deadlineNs;
    same.shapeKey = shapeKey;
    same.tenant = tenant;
    same.trace = trace;
    same.outputs = outputs;
    same.staying = staying;
    return same.build();
  }

  /** Closes the inputs. */
  @Override
  public void close() {
    for (int i = 0; i < inputs.size(); i++) {
      inputs.get(i).close();
    }
  }

  /** What a request is made of. Not thread-safe. */
  public static final class Builder {

    private final String model;
    private final String version;
    private final List<Tensor> inputs;
    private final ReplyTo replyTo;
    private int batchSize = 1;
    private int priority;
    private long timeoutMicros;
    private long arrivalNs;
    private long preprocessNs;
    private long deadlineNs = NO_DEADLINE;
    private @Nullable Object shapeKey;
    private String tenant = "";
    private String trace = "";
    private UnaryOperator<List<Tensor>> outputs = UnaryOperator.identity();
    private @Nullable BiPredicate<String, String> staying;

    private Builder(String model, String version, List<Tensor> inputs, ReplyTo replyTo) {
      this.model = model;
      this.version = version;
      this.inputs = inputs;
      this.replyTo = replyTo;
    }

    /** Sets the first dimension; 1 for a model that does not batch. */
    public Builder batchSize(int items) {
      batchSize = items;
      return this;
    }

    /** Sets the level, 1 the highest; 0 takes the model's default. */
    public Builder priority(int level) {
      priority = level;
      return this;
    }

    /** Sets the request's own {@code timeout} parameter; 0 for none. */
    public Builder timeoutMicros(long micros) {
      timeoutMicros = micros;
      return this;
    }

    /** Sets when the front end had the whole request. */
    public Builder arrivalNs(long atNs) {
      arrivalNs = atNs;
      return this;
    }

    /** Sets what of the time since then was spent on turning images into tensors. */
    public Builder preprocessNs(long ns) {
      preprocessNs = ns;
      return this;
    }

    /** Sets when the client stops waiting, or {@link #NO_DEADLINE}. */
    public Builder deadlineNs(long atNs) {
      deadlineNs = atNs;
      return this;
    }

    /**
     * Sets what stands for the inputs' shapes without the batch dimension; only requests with equal
     * keys share a batch; null for a model whose shapes are fixed.
     */
    public Builder shapeKey(@Nullable Object key) {
      shapeKey = key;
      return this;
    }

    /** Sets who shares the model with others; empty for clients that do not say. */
    public Builder tenant(String name) {
      tenant = name;
      return this;
    }

    /** Sets the {@code traceparent} of the client; empty if it sent none. */
    public Builder trace(String parent) {
      trace = parent;
      return this;
    }

    /**
     * Sets what makes the answer of what the model gives, and takes that over; called by whoever
     * answers.
     */
    public Builder outputs(UnaryOperator<List<Tensor>> answer) {
      outputs = answer;
      return this;
    }

    /**
     * Sets what says of a device and an output that it may stay there; null if all are read on the
     * host. Asked by the thread that runs the batch.
     */
    public Builder staying(@Nullable BiPredicate<String, String> mayStay) {
      staying = mayStay;
      return this;
    }

    public InferenceRequest build() {
      return new InferenceRequest(this);
    }
  }
}
