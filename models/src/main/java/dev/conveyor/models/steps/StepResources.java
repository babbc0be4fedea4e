package dev.conveyor.models.steps;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.LateBytes;
import dev.conveyor.models.PixelWork;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiPredicate;
import org.jspecify.annotations.Nullable;

/**
 * What one run of a step may use: memory that counts as that of all requests, and images up to a
 * size.
 *
 * <p>Thread-confined: the thread of the run. It never waits for memory: a request that holds some
 * and waited for more could wait for another one that does the same. There is enough, or the run is
 * refused and its request gives back what it holds.
 */
public final class StepResources {

  private static final int MOST_BYTES = Integer.MAX_VALUE - 8;

  private final BufferPool memory;
  private final long maxImagePixels;
  private final BiPredicate<String, String> staying;
  private final List<? extends StepDevice> devices;
  private final List<Tensor> made = new ArrayList<>(4);

  /**
   * Prepares a run.
   *
   * @param memory of all requests; not owned
   * @param maxImagePixels images of more are not decoded
   */
  public StepResources(BufferPool memory, long maxImagePixels) {
    this(memory, maxImagePixels, (device, output) -> false);
  }

  /** As below, without devices that images are decoded on. */
  public StepResources(
      BufferPool memory, long maxImagePixels, BiPredicate<String, String> staying) {
    this(memory, maxImagePixels, staying, List.of());
  }

  /**
   * Prepares a run.
   *
   * @param staying says whether an output, second, is read on a device, first, only
   * @param devices images may be decoded on
   */
  public StepResources(
      BufferPool memory,
      long maxImagePixels,
      BiPredicate<String, String> staying,
      List<? extends StepDevice> devices) {
    this.memory = memory;
    this.maxImagePixels = maxImagePixels;
    this.staying = staying;
    this.devices = devices;
  }

  /**
   * Does work on an input where it lies, if that is a device and everybody reads the output there.
   *
   * @return the output; null if the work is for the host
   * @throws InferenceException if the device is lost
   */
  @Nullable Tensor tryWork(
      Tensor input, PixelWork work, String output, DataType type, Shape shape) {
    LateBytes late = input.lateBytes();
    LateBytes there = late != null && mayStay(late.device(), output) ? late.tryWork(work) : null;
    return there == null ? null : Tensor.late(output, type, shape, there);
  }

  /** Returns the device to decode the images of an output on; null if that is the host. */
  public @Nullable StepDevice decoderOf(String output) {
    for (StepDevice device : devices) {
      if (device.decodesImages() && mayStay(device.name(), output)) {
        return device;
      }
    }
    return null;
  }

  /** Returns whether an output may stay on a device of that name: everybody reads it there. */
  public boolean mayStay(String device, String output) {
    return staying.test(device, output);
  }

  /** Returns how many pixels an image may have that is decoded. */
  public long maxImagePixels() {
    return maxImagePixels;
  }

  /**
   * Returns a tensor of zeros. What a step does not give it closes; if it fails, all are closed.
   *
   * @throws InferenceException QUEUE_FULL if there is no memory for it now, TOO_LARGE if there
   *     never is
   */
  public Tensor tensor(String name, DataType type, Shape shape) {
    long bytes;
    try {
      bytes = Math.multiplyExact(shape.elements(), type.sizeBytes());
    } catch (ArithmeticException e) {
      bytes = Long.MAX_VALUE;
    }
    return tensor(name, type, shape, bytes);
  }

  /** As {@link #tensor(String, DataType, Shape)}, for texts too, whose bytes no shape tells. */
  public Tensor tensor(String name, DataType type, Shape shape, long bytes) {
    if (bytes == 0) {
      return Tensor.of(name, type, shape, ByteBuffer.allocate(0));
    }
    if (bytes > Math.min(MOST_BYTES, memory.maxBytes())) {
      throw new InferenceException(
          ErrorCode.TOO_LARGE,
          "'%s', %s %s, has %d bytes, of which one tensor has at most %d"
              .formatted(name, type, shape, bytes, Math.min(MOST_BYTES, memory.maxBytes())));
    }
    Lease lease =
        memory.tryAcquireHeap((int) bytes).orElseThrow(() -> noMemory(memory, name, bytes));
    Tensor tensor = Tensor.ofLease(name, type, shape, lease, 0, (int) bytes);
    made.add(tensor);
    return tensor;
  }

  /**
   * Counts memory that a step takes by itself while it runs, which closes it.
   *
   * @throws InferenceException QUEUE_FULL if there is not so much now, TOO_LARGE if there never is
   */
  public HeapShare count(String what, long bytes) {
    if (bytes > memory.maxBytes()) {
      throw new InferenceException(
          ErrorCode.TOO_LARGE,
          "'%s' would take %d bytes, there are at most %d for requests"
              .formatted(what, bytes, memory.maxBytes()));
    }
    HeapShare share = memory.heapShare();
    if (!share.growTo(bytes)) {
      throw noMemory(memory, what, bytes);
    }
    return share;
  }

  /**
   * Runs a step.
   *
   * @return what it gives, all of it counted, also what it did not take from here
   */
  public List<Tensor> run(Step step, List<Tensor> inputs) {
    boolean done = false;
    try {
      List<Tensor> outputs = counted(memory, step.run(inputs, this), 1);
      done = true;
      return outputs;
    } finally {
      if (!done) {
        made.forEach(Tensor::close);
      }
    }
  }

  /**
   * Returns tensors that count as memory of requests until they are closed, in place of those that
   * count nowhere yet. Takes all of them over, and closes them if there is no memory left.
   *
   * @param fromBytes smaller ones count for nothing
   * @throws InferenceException QUEUE_FULL
   */
  public static List<Tensor> counted(BufferPool memory, List<Tensor> tensors, int fromBytes) {
    boolean all = true;
    for (Tensor tensor : tensors) {
      all &= tensor.isLeased() || tensor.sizeBytes() < fromBytes;
    }
    if (all) {
      return tensors;
    }
    List<Tensor> counted = new ArrayList<>(tensors.size());
    for (Tensor tensor : tensors) {
      if (tensor.isLeased() || tensor.sizeBytes() < fromBytes) {
        counted.add(tensor);
        continue;
      }
      Lease lease = memory.tryLend(tensor.data()).orElse(null);
      if (lease == null) {
        InferenceException refusal = noMemory(memory, tensor.name(), tensor.sizeBytes());
        counted.forEach(Tensor::close);
        tensors.forEach(Tensor::close);
        throw refusal;
      }
      counted.add(
          Tensor.ofLease(
              tensor.name(), tensor.type(), tensor.shape(), lease, 0, tensor.sizeBytes()));
    }
    return counted;
  }

  private static InferenceException noMemory(BufferPool memory, String tensor, long bytes) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "no memory for '%s', %d bytes: %d of %d bytes for requests are in use"
            .formatted(tensor, bytes, memory.leasedBytes(), memory.maxBytes()),
        RefusalReason.REQUEST_MEMORY,
        InferenceException.UNKNOWN);
  }
}
