package dev.conveyor.verticles.chaos;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.Slices;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Does to an execution what the {@link Poison} in its requests asks for.
 *
 * <p>Thread-confined: it belongs to one executor.
 */
final class Faults {

  private static final String SLEEPS = "chaos_sleeps";
  private static final String FAILS = "chaos_fails";

  /** What an item asks for, and where in its tensor it stands, in bytes. */
  private record Dose(Poison poison, float amount, int at) {}

  private boolean sick;

  /** Returns true if an event tells that an execution begins to sleep. */
  static boolean isSleep(JsonObject event) {
    return SLEEPS.equals(event.getString("event"));
  }

  /** Returns of how many items an execution is that an event tells to fail; 0 for other events. */
  static int failing(JsonObject event) {
    return FAILS.equals(event.getString("event")) ? event.getInteger("items") : 0;
  }

  /** Faults that happen instead of the execution. */
  void before(List<? extends BatchRequest> requests) {
    if (sick) {
      throw new ExecutionException(Kind.RUN, "chaos: this executor is sick");
    }
    for (BatchRequest request : requests) {
      Dose dose = dose(request);
      if (dose != null) {
        act(dose, Slices.items(requests));
      }
    }
  }

  /** Faults in the outputs. */
  BatchResult after(List<? extends BatchRequest> requests, BatchResult result) {
    List<List<Tensor>> outputs = new ArrayList<>(result.outputs());
    for (int i = 0; i < requests.size(); i++) {
      Dose dose = dose(requests.get(i));
      if (dose == null) {
        continue;
      }
      if (dose.poison() == Poison.NAN) {
        outputs.set(
            i, outputs.get(i).stream().map(output -> withoutANumber(output, dose.at())).toList());
      } else if (dose.poison() == Poison.SHAPE) {
        outputs.set(i, outputs.get(i).stream().map(Faults::shorter).toList());
      }
    }
    return new BatchResult(outputs, result.copyInNs(), result.computeNs(), result.copyOutNs());
  }

  private void act(Dose dose, int items) {
    switch (dose.poison()) {
      case EXCEPTION -> {
        EventRelay.tell(new JsonObject().put("event", FAILS).put("items", items));
        throw new ExecutionException(Kind.RUN, "chaos: poison in the batch");
      }
      case ERROR -> throw new StackOverflowError("chaos: an error in the backend");
      case SLEEP -> {
        EventRelay.tell(new JsonObject().put("event", SLEEPS));
        sleep((long) dose.amount());
      }
      case OUT_OF_MEMORY -> {
        if (items > dose.amount()) {
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
      case BLOCKED_LOOP -> ProcessFaults.blockEventLoop((long) dose.amount());
      case NAN, SHAPE -> {
        // In the outputs.
      }
    }
  }

  /** Looks at every item: in a worker process a whole batch is one request. */
  private static @Nullable Dose dose(BatchRequest request) {
    Tensor input = request.inputs().get(0);
    int itemBytes = input.sizeBytes() / Math.max(1, request.batchSize());
    if (input.type() != DataType.FP32 || itemBytes < 2 * Float.BYTES) {
      return null;
    }
    for (int at = 0; at < input.sizeBytes(); at += itemBytes) {
      Optional<Poison> poison = Poison.of(input.data().getFloat(at));
      if (poison.isPresent()) {
        return new Dose(poison.get(), input.data().getFloat(at + Float.BYTES), at);
      }
    }
    return null;
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

  private static Tensor withoutANumber(Tensor output, int at) {
    ByteBuffer bytes =
        ByteBuffer.allocate(output.sizeBytes()).order(ByteOrder.LITTLE_ENDIAN).put(copy(output));
    return Tensor.of(
        output.name(), output.type(), output.shape(), bytes.putFloat(at, Float.NaN).rewind());
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
