package dev.conveyor.models.process.wire;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Says in shared memory that a message is on the socket, so that a side that waits awake need not
 * be woken, which takes some 25 µs on a virtual machine, each way.
 *
 * <p>Not thread-safe: owned by the channel. The other side may write nonsense here: whoever
 * believes it waits at the socket, as without it.
 */
public final class Doorbell {

  private static final VarHandle LONG =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

  private final ByteBuffer page;
  private final int own;
  private final int other;
  private long seen;

  Doorbell(ByteBuffer page, int own, int other) {
    this.page = page;
    this.own = own;
    this.other = other;
  }

  /** A message was sent. */
  void ring() {
    LONG.getAndAdd(page, other, 1L);
  }

  /** A message was received. */
  void answer() {
    seen++;
  }

  /**
   * Waits awake until a message was sent that was not received, or for {@code ns}. Lets others run:
   * the other side may need this very core.
   */
  @SuppressWarnings("ThreadPriorityCheck") // what depends on the scheduler is the time it takes
  void await(long ns) {
    long start = System.nanoTime();
    while ((long) LONG.getVolatile(page, own) - seen <= 0 && System.nanoTime() - start < ns) {
      Thread.yield();
    }
  }
}
