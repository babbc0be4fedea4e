package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies tensors that were left on other GPUs to this one, without the host: in the order of the
 * reader's stream, which waits on the device until they are written. Thread-safe.
 *
 * <p>Before the first tensor from a GPU the memory in which it is there is opened to this one, if
 * the two can access each other. Then the copy goes straight from GPU to GPU; else the driver takes
 * it over the host, in the same call. A GPU that refuses the call is not asked again, and its
 * tensors are read by way of the host, as by any other reader there.
 *
 * <p>What goes wrong on a device is told by some later call, perhaps of another device that waits
 * for it. So after an error that loses a device all are asked who it is.
 */
final class PeerReads {

  private static final Logger LOG = LoggerFactory.getLogger(PeerReads.class);

  /** How tensors come from another GPU. */
  private enum Way {
    DIRECT,
    STAGED,
    REFUSED
  }

  private static final int TIMES_ASKED = 2;

  private final Cuda cuda;
  private final int device;
  private final Map<String, Way> ways = new ConcurrentHashMap<>();

  /** Where tensors were read from. */
  private final Set<ResidentPool> sources = ConcurrentHashMap.newKeySet();

  private final LongAdder directBytes = new LongAdder();
  private final LongAdder stagedBytes = new LongAdder();

  /**
   * Creates it; asks nothing of the device yet.
   *
   * @param device that reads
   */
  PeerReads(Cuda cuda, int device) {
    this.cuda = cuda;
    this.device = device;
  }

  /** Returns whether tensors on a GPU of this name may be left there for this one. */
  boolean takesFrom(String peer) {
    return ways.get(peer) != Way.REFUSED;
  }

  /** Returns the bytes that were copied straight from GPU to GPU. */
  long directBytes() {
    return directBytes.sum();
  }

  /** Returns the bytes that the driver took over the host. */
  long stagedBytes() {
    return stagedBytes.sum();
  }

  /**
   * Enqueues the copy. The caller holds the bytes until its stream is past it.
   *
   * @param first whether the stream does not wait yet for the block that they are in
   * @param stream of this device, which the calling thread has set
   * @return whether it did; else they have to be read on the host
   * @throws InferenceException if the other device is lost
   * @throws CudaException if this one is, as far as can be found out
   */
  boolean tryEnqueue(ResidentBytes from, boolean first, long target, long stream) {
    ResidentPool pool = from.block().pool();
    if (pool.isLost()) {
      throw unreadable(pool);
    }
    sources.add(pool);
    try {
      Way way = ways.computeIfAbsent(pool.device(), name -> open(pool));
      if (way == Way.REFUSED) {
        return false;
      }
      if (first) {
        cuda.waitFor(from.block().written, stream);
      }
      cuda.copyFromPeer(target, device, from.address(), pool.ordinal(), from.sizeBytes(), stream);
      (way == Way.DIRECT ? directBytes : stagedBytes).add(from.sizeBytes());
      return true;
    } catch (CudaException e) {
      if (e.isSticky()) {
        if (!isOfPeer(e)) {
          throw e;
        }
        throw unreadable(pool);
      }
      if (!e.isOutOfMemory()) {
        ways.put(pool.device(), Way.REFUSED);
      }
      LOG.warn("tensors from {} come by way of the host: {}", pool.device(), e.getMessage());
      return false;
    }
  }

  private Way open(ResidentPool pool) {
    try {
      if (cuda.canAccessPeer(device, pool.ordinal())) {
        pool.openTo(device);
        return Way.DIRECT;
      }
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      LOG.warn("GPU {} does not read {} by itself: {}", device, pool.device(), e.getMessage());
    }
    return Way.STAGED;
  }

  private static InferenceException unreadable(ResidentPool pool) {
    return new InferenceException(
        ErrorCode.UNAVAILABLE, "a tensor on %s cannot be read".formatted(pool.device()));
  }

  /**
   * Finds out whose error one is that loses a device; others that are lost are told so. The calling
   * thread has set the device.
   *
   * @return whether it is of another one, and this one is well
   */
  boolean isOfPeer(CudaException failure) {
    if (sources.isEmpty() || isLost(device)) {
      return false;
    }
    boolean found = false;
    for (ResidentPool pool : sources) {
      if (isLost(pool.ordinal())) {
        pool.lost(failure);
        found = true;
      }
    }
    cuda.useDevice(device);
    return found;
  }

  /** A device says so every time that it is lost, and only once what was another one's error. */
  private boolean isLost(int asked) {
    int refusals = 0;
    while (refusals < TIMES_ASKED && isRefused(asked)) {
      refusals++;
    }
    return refusals == TIMES_ASKED;
  }

  private boolean isRefused(int asked) {
    try {
      cuda.useDevice(asked);
      long unused = cuda.freeBytes();
      return false;
    } catch (CudaException e) {
      return e.isSticky();
    }
  }
}
