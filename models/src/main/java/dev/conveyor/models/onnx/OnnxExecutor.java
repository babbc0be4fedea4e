package dev.conveyor.models.onnx;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.Slices;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.jspecify.annotations.Nullable;

/**
 * Runs the batches of one instance. Thread-confined: created, used and closed by one thread.
 *
 * <p>Where every shape but the batch is fixed, inputs and outputs live in slabs allocated here,
 * once, for the largest batch, and a {@link FixedBinding} per batch size is kept: a run gathers,
 * makes one native call and scatters. A single large request is not gathered at all: the run reads
 * it where the network put it. Models with varying shapes or strings take {@link VaryingRun}
 * instead.
 */
final class OnnxExecutor implements ModelExecutor {

  /** Below this a copy is cheaper than binding other memory. */
  private static final int BORROW_FROM_BYTES = 16 * 1024;

  /** What vector instructions want; memory that is not so aligned is copied. */
  private static final int ALIGNMENT_BYTES = 16;

  private final Session session;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final boolean batches;
  private final RunOptions runOptions = new RunOptions();
  private final MemoryInfo memory = OnnxValues.cpuMemory();
  private final Slab[] inputSlabs;
  private final Slab[] outputSlabs;
  private final @Nullable FixedBinding[] bindings;
  private final @Nullable VaryingRun varying;
  private final Workspace workspace;
  private long largestRun;
  private boolean shrinks;

  @GuardedBy("runOptions")
  private boolean closed;

  OnnxExecutor(
      Session session,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs,
      int maxBatchSize,
      LoadOptions options,
      Workspace workspace) {
    this.session = session;
    this.workspace = workspace;
    this.inputs = inputs;
    this.outputs = outputs;
    this.batches = maxBatchSize > 0;
    this.inputSlabs = slabs(inputs, options);
    this.outputSlabs = slabs(outputs, options);
    boolean fixed =
        inputs.stream().allMatch(this::isFixed) && outputs.stream().allMatch(this::isFixed);
    this.bindings = new FixedBinding[fixed ? Math.max(1, maxBatchSize) + 1 : 0];
    this.varying =
        fixed ? null : new VaryingRun(session, memory, inputs, outputs, batches, inputSlabs);
    if (fixed) {
      try {
        ensureAll(inputs, inputSlabs, maxBatchSize);
        ensureAll(outputs, outputSlabs, maxBatchSize);
      } catch (RuntimeException | Error e) {
        close();
        throw e;
      }
    }
  }

  @Override
  public BatchResult execute(List<? extends BatchRequest> requests) {
    try {
      BatchResult result = varying == null ? runFixed(requests) : varying.run(requests, runOptions);
      account(requests);
      return result;
    } catch (BudgetExceededException | OutOfMemoryError e) {
      throw new ExecutionException(
          ExecutionException.Kind.OUT_OF_MEMORY, String.valueOf(e.getMessage()));
    } catch (RuntimeException e) {
      throw OnnxFailures.of(e);
    }
  }

  @Override
  public void cancel() {
    synchronized (runOptions) {
      if (!closed) {
        runOptions.SetTerminate();
      }
    }
  }

  @Override
  public void close() {
    for (FixedBinding binding : bindings) {
      if (binding != null) {
        binding.close();
      }
    }
    for (Slab slab : inputSlabs) {
      slab.close();
    }
    for (Slab slab : outputSlabs) {
      slab.close();
    }
    synchronized (runOptions) {
      closed = true;
      runOptions.close();
    }
    memory.close();
  }

  /** What a run needs follows from its inputs: only the largest so far can have taken more. */
  private void account(List<? extends BatchRequest> requests) {
    long bytes = 0;
    for (int i = 0; i < inputs.size(); i++) {
      bytes += Slices.gatheredBytes(requests, i);
    }
    if (bytes > largestRun) {
      largestRun = bytes;
      workspace.measure();
    }
    if (workspace.shrinks() && !shrinks) {
      shrinks = true;
      runOptions.AddConfigEntry("memory.enable_memory_arena_shrinkage", "cpu:0");
    }
  }

  private BatchResult runFixed(List<? extends BatchRequest> requests) {
    final long start = System.nanoTime();
    int items = Slices.items(requests);
    FixedBinding binding = binding(items);
    for (int i = 0; i < inputSlabs.length; i++) {
      Tensor only = requests.get(0).inputs().get(i);
      if (requests.size() == 1 && canBorrow(only)) {
        binding.borrow(i, only);
      } else {
        Slices.gather(requests, i, inputSlabs[i].bytes());
      }
    }
    final long gathered = System.nanoTime();
    try {
      binding.run(runOptions);
    } finally {
      binding.restoreAll();
    }
    final long computed = System.nanoTime();
    List<List<Tensor>> answers = scatter(requests, items);
    return new BatchResult(
        answers, gathered - start, computed - gathered, System.nanoTime() - computed);
  }

  private List<List<Tensor>> scatter(List<? extends BatchRequest> requests, int items) {
    List<List<Tensor>> answers = new ArrayList<>(requests.size());
    int first = 0;
    for (int r = 0; r < requests.size(); r++) {
      int size = requests.get(r).batchSize();
      Tensor[] tensors = new Tensor[outputSlabs.length];
      for (int o = 0; o < tensors.length; o++) {
        TensorSpec spec = outputs.get(o);
        int itemBytes = Math.toIntExact(itemBytes(spec));
        Shape shape = batches ? spec.shape().withFirst(size) : spec.shape();
        tensors[o] =
            Tensor.of(
                spec.name(),
                spec.type(),
                shape,
                Slices.copyOf(outputSlabs[o].bytes(), first * itemBytes, size * itemBytes));
      }
      answers.add(List.of(tensors));
      first += size;
    }
    assert first == items;
    return answers;
  }

  private FixedBinding binding(int items) {
    if (items >= bindings.length) {
      throw new IllegalStateException(
          "a batch of " + items + " on an instance made for " + (bindings.length - 1));
    }
    FixedBinding binding = bindings[items];
    if (binding == null) {
      binding =
          new FixedBinding(
              session, memory, inputs, outputs, batches ? items : -1, inputSlabs, outputSlabs);
      bindings[items] = binding;
    }
    return binding;
  }

  private static boolean canBorrow(Tensor tensor) {
    return tensor.sizeBytes() >= BORROW_FROM_BYTES
        && tensor.data().isDirect()
        && tensor.data().alignmentOffset(0, ALIGNMENT_BYTES) == 0;
  }

  private boolean isFixed(TensorSpec spec) {
    if (spec.type() == DataType.BYTES) {
      return false;
    }
    return batches
        ? spec.shape().rank() > 0 && spec.shape().withoutFirst().isStatic()
        : spec.shape().isStatic();
  }

  private long itemBytes(TensorSpec spec) {
    Shape item = batches ? spec.shape().withoutFirst() : spec.shape();
    return Math.multiplyExact(item.elements(), spec.type().sizeBytes());
  }

  private void ensureAll(List<TensorSpec> specs, Slab[] slabs, int maxBatchSize) {
    for (int i = 0; i < slabs.length; i++) {
      slabs[i].ensure(Math.multiplyExact(itemBytes(specs.get(i)), Math.max(1, maxBatchSize)));
    }
  }

  private static Slab[] slabs(List<TensorSpec> specs, LoadOptions options) {
    Slab[] slabs = new Slab[specs.size()];
    for (int i = 0; i < slabs.length; i++) {
      slabs[i] = new Slab(options.budget(), options.owner() + "/slabs");
    }
    return slabs;
  }
}
