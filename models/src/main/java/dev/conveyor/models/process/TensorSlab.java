package dev.conveyor.models.process;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.Slices;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import dev.conveyor.models.process.wire.SharedFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory that an executor shares with its worker; grows when a batch needs more, and what it
 * holds is in the ledger. Thread-confined: it belongs to one executor.
 */
final class TensorSlab implements AutoCloseable {

  private static final int PAGE_BYTES = 4096;
  private static final ByteBuffer NONE = ByteBuffer.allocate(0);

  private final LoadedWorker worker;
  private final WorkerLine line;
  private @Nullable SharedFile file;
  private @Nullable Reservation reservation;

  TensorSlab(LoadedWorker worker, WorkerLine line) {
    this.worker = worker;
    this.line = line;
  }

  int sizeBytes() {
    return file == null ? 0 : file.sizeBytes();
  }

  /** Returns the whole slab, always the same view; use absolute access. */
  ByteBuffer bytes() {
    return file == null ? NONE : file.bytes();
  }

  /**
   * Makes room; what was in it is lost when it has to grow.
   *
   * @throws ExecutionException OUT_OF_MEMORY if there is none; RUN if the worker cannot have it
   */
  void ensure(long sizeBytes) throws WorkerLostException {
    if (sizeBytes() < Math.max(1, sizeBytes)) {
      Message answer = grow(sizeBytes, false);
      try {
        answer.expect(MessageType.DONE);
      } catch (IOException e) {
        throw worker.process().lost(e);
      }
    }
  }

  /** Replaces the slab by one that the outputs fit into which the worker keeps; returns them. */
  Message growForOutputs(long sizeBytes) throws WorkerLostException {
    return grow(sizeBytes, true);
  }

  /**
   * Replaces the slab by a larger one; returns what the worker says once it has mapped it.
   *
   * @param forOutputs whether outputs that the worker keeps are wanted still
   */
  private Message grow(long sizeBytes, boolean forOutputs) throws WorkerLostException {
    // Half as much again: sizes that creep up do not map anew with every batch.
    long wanted = file == null ? sizeBytes : Math.max(sizeBytes, sizeBytes() * 3L / 2);
    long size = Math.min(SharedFile.MAX_BYTES, (wanted + PAGE_BYTES - 1) & -PAGE_BYTES);
    if (sizeBytes > size) {
      throw outOfMemory(
          "a batch of %d bytes, %d fit into shared memory".formatted(sizeBytes, size));
    }
    final long before = sizeBytes();
    close();
    try {
      reservation = worker.options().budget().reserve(worker.options().owner() + "/slabs", size);
      SharedFile made = SharedFile.create(worker.workers().directory().newFile("slab"), size);
      file = made;
      worker.process().lend(size); // It has the one until it has the other.
      line.begin(MessageType.MAP)
          .putString(made.path().toString())
          .putLong(size)
          .putInt(forOutputs ? 1 : 0);
      Message answer = line.call();
      made.unlink();
      worker.process().lend(-before);
      if (answer.type() == MessageType.FAILED) {
        worker.process().lend(-size);
        close();
        throw failure(answer);
      }
      return answer;
    } catch (BudgetExceededException | IOException e) {
      close();
      throw outOfMemory(String.valueOf(e.getMessage()));
    }
  }

  private ExecutionException failure(Message answer) throws WorkerLostException {
    try {
      return worker.failedRun(answer);
    } catch (IOException e) {
      throw worker.process().lost(e);
    }
  }

  /** Copies one input of every request to where the worker will read it. */
  void gather(List<? extends BatchRequest> requests, int input, long offset, long bytes) {
    Slices.gather(requests, input, bytes().slice((int) offset, (int) bytes));
  }

  @Override
  public void close() {
    if (file != null) {
      file.close();
      file = null;
    }
    if (reservation != null) {
      reservation.close();
      reservation = null;
    }
  }

  private static ExecutionException outOfMemory(String message) {
    return new ExecutionException(
        ExecutionException.Kind.OUT_OF_MEMORY, "shared memory for tensors: " + message);
  }
}
