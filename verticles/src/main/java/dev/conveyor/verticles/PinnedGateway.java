package dev.conveyor.verticles;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.ReplyTo;
import java.nio.ByteBuffer;
import java.util.function.Predicate;

/**
 * A gateway for front ends that are handed their messages on the heap: puts large inputs into
 * pinned memory first, where a GPU reads them by itself, as bodies over HTTP are read into it. So
 * the copy is made beside the batches, and not by the thread that submits them.
 *
 * <p>Thread-safe: no state of its own. An input stays where it is if more than half of the memory
 * of requests is lent, since that memory is then better left to what has no other place.
 */
final class PinnedGateway implements InferenceGateway {

  /** Smaller inputs are gathered in passing. */
  static final int LEAST_BYTES = 16 * 1024;

  private final InferenceGateway gateway;
  private final BufferPool memory;
  private final String cpu;

  /**
   * Creates it before another gateway.
   *
   * @param memory lends pinned memory, as long as there is some
   * @param cpu name of the device that has no use for it
   */
  PinnedGateway(InferenceGateway gateway, BufferPool memory, String cpu) {
    this.gateway = gateway;
    this.memory = memory;
    this.cpu = cpu;
  }

  @Override
  public ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
    boolean worthwhile = call.inputs().stream().anyMatch(PinnedGateway::gains);
    return gateway.infer(
        worthwhile && !gateway.runsOnlyOn(cpu::equals, call.model(), call.version())
            ? call.withInputs(call.inputs().stream().map(this::pinned).toList())
            : call,
        handler);
  }

  /** What is lent by the pool is where it should be, and strings never reach a device. */
  private static boolean gains(Tensor input) {
    return input.type() != DataType.BYTES
        && input.lateBytes() == null
        && !input.isLeased()
        && input.sizeBytes() >= LEAST_BYTES;
  }

  private Tensor pinned(Tensor input) {
    Lease lease =
        gains(input) && memory.hasSpare()
            ? memory.tryAcquire(input.sizeBytes()).orElse(null)
            : null;
    if (lease == null) {
      return input;
    }
    ByteBuffer target = lease.buffer();
    target.put(0, input.data(), 0, input.sizeBytes());
    Tensor moved =
        Tensor.ofLease(input.name(), input.type(), input.shape(), lease, 0, input.sizeBytes());
    input.close();
    return moved;
  }

  @Override
  public void onGivenUp(String model) {
    gateway.onGivenUp(model);
  }

  @Override
  public boolean runsOnlyOn(Predicate<String> devices, String model, String version) {
    return gateway.runsOnlyOn(devices, model, version);
  }
}
