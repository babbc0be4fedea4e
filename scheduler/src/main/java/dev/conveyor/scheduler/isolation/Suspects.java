package dev.conveyor.scheduler.isolation;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.backend.BatchRequest;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The fingerprints of inputs that failed lately. A request that has one runs alone, so that clients
 * that send it again do not disturb others again.
 *
 * <p>Thread-safe: shared by the instances of a model. Holds a bounded number, the oldest are
 * forgotten first. While there are none, asking costs one volatile read.
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
  public synchronized void add(BatchRequest request, long nowNs) {
    Long fingerprint = Fingerprint.of(request);
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
  public synchronized boolean contains(BatchRequest request, long nowNs) {
    forget(nowNs);
    return !forgottenNs.isEmpty() && forgottenNs.containsKey(Fingerprint.of(request));
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
