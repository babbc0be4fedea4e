package dev.conveyor.verticles.chaos;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.Slices;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Does to an execution what the {@link Poison} in its requests asks for.
 *
 * <p>Thread-confined: it belongs to one executor.
 */
final class Faults {

  private boolean sick;

  /** Faults that happen instead of the execution. */
  void before(List<? extends BatchRequest> requests) {
    if (sick) {
      throw new ExecutionException(Kind.RUN, "chaos: this executor is sick");
    }
    for (BatchRequest request : requests) {
      Optional<Poison> poison = poison(request);
      if (poison.isPresent()) {
        act(poison.get(), request, Slices.items(requests));
      }
    }
  }

  /** Faults in the outputs. */
  BatchResult after(List<? extends BatchRequest> requests, BatchResult result) {
    List<List<Tensor>> outputs = new ArrayList<>(result.outputs());
    for (int i = 0; i < requests.size(); i++) {
      Poison poison = poison(requests.get(i)).orElse(Poison.EXCEPTION);
      if (poison == Poison.NAN) {
        outputs.set(i, outputs.get(i).stream().map(Faults::withoutANumber).toList());
      } else if (poison == Poison.SHAPE) {
        outputs.set(i, outputs.get(i).stream().map(Faults::shorter).toList());
      }
    }
    return new BatchResult(outputs, result.copyInNs(), result.computeNs(), result.copyOutNs());
  }

  private void act(Poison poison, BatchRequest request, int items) {
    switch (poison) {
      case EXCEPTION -> throw new ExecutionException(Kind.RUN, "chaos: poison in the batch");
      case ERROR -> throw new StackOverflowError("chaos: an error in the backend");
      case SLEEP -> sleep((long) amount(request));
      case OUT_OF_MEMORY -> {
        if (items > amount(request)) {
          throw new ExecutionException(
              Kind.OUT_OF_MEMORY, "chaos: no memory for a batch of " + items);
        }
      }
      case SICKNESS -> {
        sick = true;
        throw new ExecutionException(Kind.RUN, "chaos: this executor falls sick");
      }
      case MEMORY -> ProcessFaults.takeMemory();
      case GARBAGE -> ProcessFaults.writeGarbage();
      case BLOCKED_LOOP -> ProcessFaults.blockEventLoop((long) amount(request));
      case NAN, SHAPE -> {
        // In the outputs.
      }
    }
  }

  private static Optional<Poison> poison(BatchRequest request) {
    Tensor input = request.inputs().get(0);
    return input.type() == DataType.FP32 && input.sizeBytes() >= 2 * Float.BYTES
        ? Poison.of(input.data().getFloat(0))
        : Optional.empty();
  }

  private static float amount(BatchRequest request) {
    return request.inputs().get(0).data().getFloat(Float.BYTES);
  }

  /** As native code does, this listens to nobody. */
  private static void sleep(long ms) {
    long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(ms);
    boolean interrupted = false;
    for (long leftNs = endNs - System.nanoTime(); leftNs > 0; leftNs = endNs - System.nanoTime()) {
      try {
        TimeUnit.NANOSECONDS.sleep(leftNs);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static Tensor withoutANumber(Tensor output) {
    ByteBuffer bytes =
        ByteBuffer.allocate(output.sizeBytes()).order(ByteOrder.LITTLE_ENDIAN).put(copy(output));
    return Tensor.of(
        output.name(), output.type(), output.shape(), bytes.putFloat(0, Float.NaN).rewind());
  }

  private static Tensor shorter(Tensor output) {
    long[] dims = output.shape().toArray();
    int last = dims.length - 1;
    dims[last]--;
    int bytes = output.sizeBytes() / Math.toIntExact(dims[last] + 1) * Math.toIntExact(dims[last]);
    return Tensor.of(output.name(), output.type(), Shape.of(dims), copy(output).limit(bytes));
  }

  private static ByteBuffer copy(Tensor tensor) {
    return tensor.data().duplicate().rewind();
  }
}
