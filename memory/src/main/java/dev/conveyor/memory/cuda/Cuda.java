package dev.conveyor.memory.cuda;

/**
 * The calls of the CUDA runtime that this project makes, each with its status checked.
 *
 * <p>Thread-safe. Streams, events and pools are handles, device memory and pinned memory are
 * addresses; all are plain numbers, so that a call allocates nothing on the heap. Whoever gets one
 * gives it back. Work that is enqueued on a stream runs later, in the order of the stream; only the
 * methods whose names begin with {@code await} block.
 *
 * <p>Every method throws {@link CudaException} if the runtime refuses, also for what was enqueued
 * earlier and failed since.
 */
public interface Cuda {

  /** Returns the number of devices that this process may use. */
  int deviceCount();

  /** Makes {@code device} the one that the calling thread creates streams and events on. */
  void useDevice(int device);

  /**
   * As {@link #useDevice}, for who gives back what is there: also on a device that is lost, whose
   * every call fails.
   */
  default void useDeviceEvenIfLost(int device) {
    try {
      useDevice(device);
    } catch (CudaException e) {
      if (!e.isSticky()) {
        throw e;
      }
    }
  }

  /** Returns the CUDA version that the driver supports, 1000 * major + 10 * minor. */
  int driverVersion();

  /** Returns the compute capability, 10 * major + minor. */
  int computeCapability(int device);

  /** Returns the device's UUID without the prefix that tells GPUs and slices apart. */
  String uuid(int device);

  /** Returns the name of the product. */
  String name(int device);

  /** Returns the bytes of a device. */
  long totalBytes(int device);

  /** Returns the bytes of the thread's device that nobody has taken. */
  long freeBytes();

  /** Returns the bytes of the thread's device. */
  long totalBytes();

  /**
   * Creates a stream of the thread's device that waits for no other.
   *
   * @param priority 0 is the lowest; more is cut to what the device knows
   */
  long newStream(int priority);

  void destroyStream(long stream);

  /** Blocks until everything enqueued on the stream so far is done. */
  void awaitStream(long stream);

  /** Creates an event whose waiters sleep, not spin, and whose time is kept. */
  long newEvent();

  void destroyEvent(long event);

  /** Enqueues: the event is complete when the stream gets here. */
  void record(long event, long stream);

  /** Enqueues: the stream goes on when what the event recorded last is complete. */
  void waitFor(long event, long stream);

  /** Returns whether what the event recorded last is complete. */
  boolean isComplete(long event);

  /** Blocks until what the event recorded last is complete. */
  void awaitEvent(long event);

  /**
   * Returns the time between two complete events, nanoseconds, exact to about half a microsecond.
   */
  long elapsedNs(long from, long to);

  /**
   * Creates a pool of device memory that keeps what is freed in it until it is trimmed.
   *
   * @param maxBytes it never holds more; rounded up to what the driver hands out at once
   */
  long newPool(int device, long maxBytes);

  /**
   * Returns whether {@code device} can read and write memory of {@code peer} by itself, over NVLink
   * or PCIe.
   */
  boolean canAccessPeer(int device, int peer);

  /**
   * Has another device read and write what is in a pool, now and later, by itself; it must be able
   * to. Of memory in pools this alone decides, not {@code cudaDeviceEnablePeerAccess}.
   */
  void openPool(long pool, int device);

  /** Gives everything back to the device. Nothing may be allocated from it. */
  void destroyPool(long pool);

  /** Gives back to the device what is free above {@code keepBytes}. */
  void trimPool(long pool, long keepBytes);

  /** Returns the bytes that the pool has taken from the device. */
  long takenBytes(long pool);

  /** Returns an address at once; the memory is there when the stream gets here. */
  long allocate(long pool, long bytes, long stream);

  /** Enqueues: the memory goes back to its pool when the stream gets here. */
  void free(long address, long stream);

  /**
   * Has what this thread enqueues on the stream captured from now on, instead of run. Whatever
   * other threads do meanwhile is not concerned.
   */
  void beginCapture(long stream);

  /** Ends the capture and returns the graph, which may be launched as often as is wanted. */
  long endCapture(long stream);

  /** Enqueues everything that was captured. */
  void launchGraph(long graph, long stream);

  void destroyGraph(long graph);

  /** Allocates memory of the host that every device reads and writes by itself. */
  long allocatePinned(long bytes);

  void freePinned(long address);

  /**
   * Pins memory that is there already, so that every device reads and writes it by itself. Takes
   * milliseconds.
   */
  void pin(long address, long bytes);

  /** Ends that; nothing on a device uses the memory any more. */
  void unpin(long address);

  /** Enqueues a copy. {@code host} is read when the stream gets here, if it is pinned. */
  void copyToDevice(long device, long host, long bytes, long stream);

  /** Enqueues a copy. {@code host} must be pinned, or the call blocks. */
  void copyToHost(long host, long device, long bytes, long stream);

  /** Enqueues a copy from one place of the stream's device to another. */
  void copyOnDevice(long to, long from, long bytes, long stream);

  /**
   * Enqueues a copy from one device to another, in the order of this stream only. If the stream's
   * device may not access the other's memory the driver takes the copy over the host.
   */
  void copyFromPeer(long to, int toDevice, long from, int fromDevice, long bytes, long stream);
}
