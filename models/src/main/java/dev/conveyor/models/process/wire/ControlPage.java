package dev.conveyor.models.process.wire;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * A page of memory in which a worker counts up as long as it lives, and both sides count the
 * messages that they have sent.
 *
 * <p>Thread-safe: single words, read and written whole. A worker that computes still counts; one
 * that was stopped does not.
 */
public final class ControlPage {

  private static final VarHandle LONG =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final int BYTES = 4096;
  private static final int BEAT = 0;

  /** Words that two cores write lie in lines of their own. */
  private static final int TO_WORKER = 128;

  private static final int TO_SERVER = 256;
  private static final int LANE_BYTES = 256;

  /** What the page has room for. */
  public static final int MOST_LANES = (BYTES - TO_WORKER) / LANE_BYTES;

  private final SharedFile file;
  private final ByteBuffer bytes;

  private ControlPage(SharedFile file) {
    this.file = file;
    this.bytes = file.bytes();
  }

  public static ControlPage create(Path path) throws IOException {
    return new ControlPage(SharedFile.create(path, BYTES));
  }

  public static ControlPage open(Path path) throws IOException {
    return new ControlPage(SharedFile.open(path, BYTES));
  }

  /** Counts up. */
  public void beat() {
    LONG.getAndAdd(bytes, BEAT, 1L);
  }

  public long beats() {
    return (long) LONG.getVolatile(bytes, BEAT);
  }

  /** Returns the server's end of the count of messages of a lane. */
  public Doorbell serverBell(int lane) {
    return new Doorbell(bytes, TO_SERVER + at(lane), TO_WORKER + at(lane));
  }

  /** Returns the worker's end of the count of messages of a lane. */
  public Doorbell workerBell(int lane) {
    return new Doorbell(bytes, TO_WORKER + at(lane), TO_SERVER + at(lane));
  }

  private static int at(int lane) {
    return lane * LANE_BYTES;
  }

  /** Returns where the worker finds it until {@link #unlink}. */
  public Path path() {
    return file.path();
  }

  /**
   * Takes the name away, once both have mapped it. The page itself goes with the last reference to
   * this object, because any thread may read it until then.
   */
  public void unlink() throws IOException {
    file.unlink();
  }
}
