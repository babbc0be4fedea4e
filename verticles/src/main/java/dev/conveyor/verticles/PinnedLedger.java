package dev.conveyor.verticles;

import dev.conveyor.memory.MemoryBudget;
import java.util.Map;
import java.util.TreeMap;

/**
 * Who holds memory of the host that is pinned for GPUs, which the system can neither swap out nor
 * move. Thread-safe.
 *
 * <p>What models hold is in the ledger of the host too, and refused where that has no room. What
 * requests hold is not: {@code limits.request_memory_bytes} bounds it, and a load must not fail
 * because of what passes through.
 */
public final class PinnedLedger {

  private final MemoryBudget models;
  private final MemoryBudget requests =
      new MemoryBudget("pinned memory of requests", Long.MAX_VALUE);

  /**
   * Creates it with nothing in it.
   *
   * @param host ledger of the host
   */
  public PinnedLedger(MemoryBudget host) {
    this.models = host.part("pinned memory", host.capacityBytes());
  }

  /** Returns where models and devices reserve: a part of the host's ledger. */
  MemoryBudget models() {
    return models;
  }

  /** Returns where the memory of requests is noted. */
  MemoryBudget requests() {
    return requests;
  }

  /** Returns bytes by owner tag, in the order of the tags. */
  Map<String, Long> holders() {
    Map<String, Long> holders = new TreeMap<>(models.holders());
    holders.putAll(requests.holders());
    return holders;
  }
}
