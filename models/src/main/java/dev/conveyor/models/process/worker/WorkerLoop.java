package dev.conveyor.models.process.worker;

import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.FailureKind;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import dev.conveyor.models.process.wire.ProtocolException;
import dev.conveyor.models.process.wire.TensorBlock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Does what the server says on one lane: runs batches of the worker's model, and, on the first one,
 * loads it. Thread-confined: everything happens on the thread that {@link #run}s it.
 *
 * <p>A batch is one request here. Its inputs are read where the server gathered them; only outputs
 * are copied.
 */
final class WorkerLoop {

  private static final long ALIGNMENT_BYTES = 64;

  private record Request(int batchSize, List<Tensor> inputs) implements BatchRequest {}

  private final ControlChannel channel;
  private final WorkerModel model;
  private @Nullable ModelExecutor executor;
  private @Nullable WorkerSlab slab;
  private @Nullable BatchResult waiting;
  private long number;
  private long awakeNs;

  WorkerLoop(ControlChannel channel, WorkerModel model) {
    this.channel = channel;
    this.model = model;
  }

  /** Answers messages until the server closes the channel, which ends it by an exception. */
  void run() throws IOException {
    while (true) {
      Message message = channel.receive(awakeNs);
      try {
        answer(message);
      } catch (RuntimeException | Error e) {
        // An Error (a linkage problem, a deep recursion) is no reason to end either.
        fail(e);
      }
      channel.send();
    }
  }

  private void fail(Throwable e) {
    WorkerGpu gpu = model.gpu();
    String lost = gpu == null ? null : gpu.lost();
    FailureKind kind = FailureKind.RUN;
    if (e instanceof DeviceUnusableException) {
      kind = FailureKind.DEVICE_UNUSABLE;
    } else if (lost != null || (e instanceof CudaException refused && refused.isSticky())) {
      kind = FailureKind.DEVICE_LOST;
    } else if (e instanceof ExecutionException failure) {
      kind = FailureKind.of(failure.kind());
    } else if (e instanceof OutOfMemoryError) {
      kind = FailureKind.OUT_OF_MEMORY;
    }
    String message = e.getMessage() == null ? e.toString() : e.getMessage();
    channel
        .begin(MessageType.FAILED)
        .putString(kind.name())
        .putString(kind == FailureKind.DEVICE_LOST && lost != null ? lost : message);
  }

  private void answer(Message message) throws IOException {
    switch (message.type()) {
      case WARM_UP -> {
        model.warmUp();
        done();
      }
      case LOAD -> load(message);
      case PREPARE -> prepare(message.readInt());
      case MAP -> map(Path.of(message.readString()), message.readLong(), message.readInt() != 0);
      case EXECUTE -> execute(message);
      case HELLO, LOADED, DONE, RESULT, GROW, FAILED, MEASURE ->
          throw new ProtocolException("a server that says " + message.type());
    }
  }

  private void load(Message message) throws IOException {
    LoadedModel loaded = model.load(message, this::tellThatItMeasures);
    channel
        .begin(MessageType.LOADED)
        .putLong(model.heldBytes())
        .putHolders(model.heldOnGpu())
        .putSpecs(loaded.inputs())
        .putSpecs(loaded.outputs());
  }

  /** Returns when the server has seen to it that nobody else gives anything back. */
  private void tellThatItMeasures() {
    try {
      channel.begin(MessageType.MEASURE);
      channel.send();
      Message unused = channel.receive(0).expect(MessageType.MEASURE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void prepare(int maxBatchSize) {
    executor = model.model().newExecutor(maxBatchSize);
    done();
  }

  private void done() {
    channel.begin(MessageType.DONE).putLong(model.heldBytes()).putHolders(model.heldOnGpu());
  }

  /** Outputs that wait for room are out of date if there was none, and the batch was given up. */
  private void map(Path path, long bytes, boolean forOutputs) throws IOException {
    WorkerSlab before = slab;
    slab = null; // If there is no other one, there is none.
    if (before != null) {
      before.close();
    }
    WorkerGpu gpu = model.gpu();
    slab = new WorkerSlab(path, bytes, gpu == null ? null : gpu.cuda());
    BatchResult result = waiting;
    waiting = null;
    if (forOutputs && result != null) {
      respond(result, 0);
    } else {
      if (result != null) {
        result.discard();
      }
      done();
    }
  }

  private void execute(Message message) throws IOException {
    if (executor == null || slab == null) {
      throw new IllegalStateException("no executor is prepared");
    }
    number = message.readLong();
    awakeNs = message.readLong();
    int items = message.readInt();
    long outputsAt = message.readLong();
    int count = message.readCount();
    List<Tensor> inputs = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      TensorSpec spec = model.model().inputs().get(i);
      TensorBlock block = message.readBlock(slab.sizeBytes());
      ByteBuffer data = slab.bytes().slice(block.offset(), block.bytes());
      inputs.add(
          Tensor.ofPinned(
              spec.name(), spec.type(), block.shape(), data, slab.pinnedAddress(block.offset())));
    }
    respond(executor.execute(List.of(new Request(items, inputs))), outputsAt);
  }

  private void respond(BatchResult result, long outputsAt) {
    List<Tensor> outputs = result.outputs().get(0);
    long end = outputsAt;
    for (Tensor output : outputs) {
      end = aligned(end + output.sizeBytes());
    }
    if (slab == null || end > slab.sizeBytes()) {
      // They come again, at the beginning of a slab that has room for them.
      waiting = result;
      channel.begin(MessageType.GROW).putLong(end);
      return;
    }
    channel
        .begin(MessageType.RESULT)
        .putLong(number)
        .putLong(result.copyInNs())
        .putLong(result.computeNs())
        .putLong(result.copyOutNs())
        .putLong(model.heldBytes())
        .putLong(model.bytesOnGpu())
        .putInt(outputs.size());
    long at = outputsAt;
    for (Tensor output : outputs) {
      Shape shape = output.shape();
      slab.bytes()
          .order(ByteOrder.LITTLE_ENDIAN)
          .put((int) at, output.data(), 0, output.sizeBytes());
      channel.putBlock(shape, at, output.sizeBytes());
      at = aligned(at + output.sizeBytes());
      output.close();
    }
  }

  private static long aligned(long offset) {
    return (offset + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES;
  }
}
