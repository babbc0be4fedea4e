package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.models.process.wire.ProtocolException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * What a worker says that it holds of a device, reserved in the server's ledger until the worker is
 * gone. Thread-safe.
 *
 * <p>A worker can lie about it as about anything else; what it says is bounded by the ledger.
 */
final class WorkerLedger implements AutoCloseable {

  /** Kinds of memory as they end the tags in the ledger; what else a worker names is one kind. */
  private static final Set<String> KINDS = Set.of("weights", "slabs", "workspace");

  private static final String OTHER = "worker";

  private final MemoryBudget budget;
  private final String owner;

  @GuardedBy("this")
  private final Map<String, Reservation> reservations = new HashMap<>();

  private volatile long knownBytes;

  /**
   * Creates a ledger of nothing.
   *
   * @param owner tag, without the kind
   */
  WorkerLedger(MemoryBudget budget, String owner) {
    this.budget = budget;
    this.owner = owner;
  }

  long bytes() {
    return knownBytes;
  }

  /**
   * Makes the reservations what the worker says.
   *
   * @param bytesByTag tags of its own ledger, which end with the kind
   * @throws BudgetExceededException if that does not fit
   */
  synchronized void report(Map<String, Long> bytesByTag) throws ProtocolException {
    Map<String, Long> byKind = new HashMap<>();
    for (Map.Entry<String, Long> held : bytesByTag.entrySet()) {
      requirePossible(held.getValue());
      byKind.merge(kind(held.getKey()), held.getValue(), Long::sum);
    }
    for (String kind : reservations.keySet()) {
      byKind.putIfAbsent(kind, 0L);
    }
    for (Map.Entry<String, Long> held : byKind.entrySet()) {
      reservation(held.getKey()).resize(held.getValue());
    }
    sum();
  }

  /**
   * Takes note of how much it is by now. What it took since is a workspace, as far as anybody
   * knows.
   *
   * @throws BudgetExceededException if that does not fit
   */
  void report(long bytes) throws ProtocolException {
    if (bytes != knownBytes) {
      resize(bytes);
    }
  }

  private synchronized void resize(long bytes) throws ProtocolException {
    requirePossible(bytes);
    Reservation workspace = reservation("workspace");
    workspace.resize(Math.max(0, workspace.bytes() + bytes - knownBytes));
    sum();
  }

  @GuardedBy("this")
  private Reservation reservation(String kind) {
    return reservations.computeIfAbsent(kind, name -> budget.reserve(owner + "/" + name, 0));
  }

  @GuardedBy("this")
  private void sum() {
    knownBytes = reservations.values().stream().mapToLong(Reservation::bytes).sum();
  }

  private void requirePossible(long bytes) throws ProtocolException {
    if (bytes < 0 || bytes > budget.capacityBytes()) {
      throw new ProtocolException("a reservation of " + bytes + " bytes");
    }
  }

  private static String kind(String tag) {
    String last = tag.substring(tag.lastIndexOf('/') + 1);
    return KINDS.contains(last) ? last : OTHER;
  }

  @Override
  public synchronized void close() {
    reservations.values().forEach(Reservation::close);
    reservations.clear();
    knownBytes = 0;
  }
}
