package dev.conveyor.scheduler.isolation;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The fingerprints of inputs that failed lately, or by which instances were lost. A request that
 * has one runs alone, so that clients that send it again do not disturb others again.
 *
 * <p>That an instance is lost while it runs a request proves nothing: whatever is lost for another
 * reason runs something, too. Inputs that ran alone each time but the first, {@value #MOST_LOSSES}
 * times in a row, are to blame; once they run alone and nothing happens, they are cleared.
 *
 * <p>Thread-safe: shared by the instances of a model, which say what failed, and the scheduler,
 * which says what was lost. Holds a bounded number, the oldest are forgotten first. While there are
 * none, asking costs one volatile read. Inputs that lie on a device are neither remembered nor
 * recognised: to look at them takes a copy, and waiting for it.
 */
public final class Suspects {

  /** How long inputs are remembered. */
  public static final long REMEMBERED_NS = 60_000_000_000L;

  /** Inputs that have cost so many instances are not run again while they are remembered. */
  private static final int MOST_LOSSES = 3;

  private static final int MOST = 1024;

  /**
   * What is known of inputs.
   *
   * @param failed whether they failed when they ran alone
   * @param losses how many instances were lost by them, perhaps
   * @param all the hash of every byte of those that losses are counted for
   * @param loss what the last of these was lost by
   */
  private record Memory(long forgottenNs, boolean failed, int losses, long all, String loss) {
    static final Memory NONE = new Memory(0, false, 0, 0, "");

    int losses(long ofAll) {
      return all == ofAll ? losses : 0;
    }
  }

  /** By fingerprint, what is forgotten first comes first. */
  @GuardedBy("this")
  private final Map<Long, Memory> memories = new LinkedHashMap<>();

  private volatile boolean none = true;

  /** Remembers the inputs of a request that failed when it ran alone. */
  public void add(BatchRequest request, long nowNs) {
    if (!isAnyOnDevice(request)) {
      Long fingerprint = Fingerprint.of(request);
      synchronized (this) {
        Memory known = known(fingerprint, nowNs);
        put(
            fingerprint,
            new Memory(nowNs + REMEMBERED_NS, true, known.losses(), known.all(), known.loss()));
      }
    }
  }

  /**
   * Takes note that an instance was lost while it ran a request alone.
   *
   * @param losses how many instances were lost so far while they ran this request
   * @param loss what this one was lost by
   * @return whether these inputs are to blame
   */
  public boolean onLoss(BatchRequest request, int losses, String loss, long nowNs) {
    if (isAnyOnDevice(request)) {
      return false;
    }
    Long fingerprint = Fingerprint.of(request);
    long ofAll = Fingerprint.ofAll(request);
    synchronized (this) {
      Memory known = known(fingerprint, nowNs);
      int most = Math.max(known.losses(ofAll) + 1, losses);
      put(fingerprint, new Memory(nowNs + REMEMBERED_NS, known.failed(), most, ofAll, loss));
      return most >= MOST_LOSSES;
    }
  }

  /** A request ran alone, and its instance is there still: what was lost was not lost by it. */
  public void onSuccess(BatchRequest request, long nowNs) {
    if (none || isAnyOnDevice(request)) {
      return;
    }
    Memory before = recall(request, nowNs);
    if (before.losses() == 0 || before.losses(Fingerprint.ofAll(request)) == 0) {
      return;
    }
    Long fingerprint = Fingerprint.of(request);
    synchronized (this) {
      Memory known = known(fingerprint, nowNs);
      if (known.losses() > 0 && known.failed()) {
        memories.put(fingerprint, new Memory(known.forgottenNs(), true, 0, 0, ""));
      } else if (known.losses() > 0) {
        memories.remove(fingerprint);
        none = memories.isEmpty();
      }
    }
  }

  @GuardedBy("this")
  private void put(Long fingerprint, Memory memory) {
    memories.remove(fingerprint);
    if (memories.size() == MOST) {
      memories.remove(memories.keySet().iterator().next());
    }
    memories.put(fingerprint, memory);
    none = false;
  }

  /** Returns true if no inputs are remembered. */
  public boolean isEmpty() {
    return none;
  }

  /** Returns true if these inputs failed lately, or an instance was lost by them, perhaps. */
  public boolean contains(BatchRequest request, long nowNs) {
    Memory known = recall(request, nowNs);
    return known.failed() || known.losses() > 0;
  }

  /** Returns true if these inputs failed lately. */
  public boolean hasFailed(BatchRequest request, long nowNs) {
    return recall(request, nowNs).failed();
  }

  /** Returns what a request is told whose inputs have cost too many instances; null for others. */
  public @Nullable InferenceException refusal(String model, BatchRequest request, long nowNs) {
    Memory known = recall(request, nowNs);
    return known.losses() < MOST_LOSSES || known.losses(Fingerprint.ofAll(request)) < MOST_LOSSES
        ? null
        : new InferenceException(
            ErrorCode.EXECUTION_FAILED,
            "model '%s': its instance was lost each of the last %d times that it ran these inputs, and they are not run now: %s"
                .formatted(model, known.losses(), known.loss()));
  }

  private Memory recall(BatchRequest request, long nowNs) {
    return isAnyRemembered(nowNs) && !isAnyOnDevice(request)
        ? recall(Fingerprint.of(request))
        : Memory.NONE;
  }

  private synchronized boolean isAnyRemembered(long nowNs) {
    forget(nowNs);
    return !memories.isEmpty();
  }

  private synchronized Memory recall(Long fingerprint) {
    return memories.getOrDefault(fingerprint, Memory.NONE);
  }

  @GuardedBy("this")
  private Memory known(Long fingerprint, long nowNs) {
    forget(nowNs);
    return memories.getOrDefault(fingerprint, Memory.NONE);
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
    Iterator<Memory> oldest = memories.values().iterator();
    while (oldest.hasNext() && oldest.next().forgottenNs() - nowNs <= 0) {
      oldest.remove();
    }
    none = memories.isEmpty();
  }
}
