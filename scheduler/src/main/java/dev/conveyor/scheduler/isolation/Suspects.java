package dev.conveyor.scheduler.isolation;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The fingerprints of inputs that failed lately. A request that has one runs alone, so that clients
 * that send it again do not disturb others again.
 *
 * <p>Thread-safe: shared by the instances of a model. Holds a bounded number, the oldest are
 * forgotten first. While there are none, asking costs one volatile read. Inputs that lie on a
 * device are neither remembered nor recognised: to look at them takes a copy, and waiting for it.
 */
public final class Suspects {

  /** How long inputs are remembered. */
  public static final long REMEMBERED_NS = 60_000_000_000L;

  private static final int MOST = 1024;

  /** When each is forgotten, by fingerprint, the oldest first. */
  @GuardedBy("this")
  private final Map<Long, Long> forgottenNs = new LinkedHashMap<>();

  private volatile boolean none = true;

  /** Remembers the inputs of a request that failed when it ran alone. */
  public void add(BatchRequest request, long nowNs) {
    if (!isAnyOnDevice(request)) {
      add(Fingerprint.of(request), nowNs);
    }
  }

  private synchronized void add(Long fingerprint, long nowNs) {
    forgottenNs.remove(fingerprint);
    if (forgottenNs.size() == MOST) {
      forgottenNs.remove(forgottenNs.keySet().iterator().next());
    }
    forgottenNs.put(fingerprint, nowNs + REMEMBERED_NS);
    none = false;
  }

  /** Returns true if no inputs are remembered. */
  public boolean isEmpty() {
    return none;
  }

  /** Returns true if these inputs failed lately. */
  public boolean contains(BatchRequest request, long nowNs) {
    return isAnyRemembered(nowNs)
        && !isAnyOnDevice(request)
        && isRemembered(Fingerprint.of(request));
  }

  private synchronized boolean isAnyRemembered(long nowNs) {
    forget(nowNs);
    return !forgottenNs.isEmpty();
  }

  private synchronized boolean isRemembered(Long fingerprint) {
    return forgottenNs.containsKey(fingerprint);
  }

  private static boolean isAnyOnDevice(BatchRequest request) {
    List<Tensor> inputs = request.inputs();
    for (int i = 0; i < inputs.size(); i++) {
      if (inputs.get(i).isOnDevice()) {
        return true;
      }
    }
    return false;
  }

  @GuardedBy("this")
  private void forget(long nowNs) {
    Iterator<Long> oldest = forgottenNs.values().iterator();
    while (oldest.hasNext() && oldest.next() - nowNs <= 0) {
      oldest.remove();
    }
    none = forgottenNs.isEmpty();
  }
}
