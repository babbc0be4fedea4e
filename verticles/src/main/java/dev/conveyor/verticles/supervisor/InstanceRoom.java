package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.config.Isolation;
import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.verticles.ServedModel;
import java.util.Comparator;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Says on which of its devices a version can have one instance more, and on which it has one to
 * spare. Stateless; called by the owner of the crew.
 */
final class InstanceRoom {

  /** A device that is busier has nothing left for one more instance. */
  private static final double BUSY = 0.95;

  private InstanceRoom() {}

  /**
   * Returns the least busy device with batches to give away and memory for one more instance.
   *
   * @param before a snapshot from when the window began; null counts every device as idle
   */
  static Optional<String> forOneMore(
      Crew crew, Sites sites, SchedulerSnapshot now, @Nullable SchedulerSnapshot before) {
    return crew.devices().stream()
        .filter(device -> busy(device, now, before) < BUSY)
        .filter(device -> hasSlots(crew, device, sites, now))
        .filter(device -> bytes(crew, device, sites) <= sites.of(device).ledger().availableBytes())
        .min(Comparator.comparingDouble(device -> busy(device, now, before)));
  }

  /** Returns the device with the most instances; empty if none has more than one. */
  static Optional<String> toSpare(Crew crew) {
    int lanes = crew.version.plan().lanes();
    return crew.devices().stream()
        .filter(device -> crew.slots(device) > lanes || crew.devices().size() == 1)
        .max(Comparator.comparingInt(crew::slots));
  }

  private static double busy(
      String device, SchedulerSnapshot now, @Nullable SchedulerSnapshot before) {
    return before == null ? 0 : now.busyFraction(device, before);
  }

  /** A batch takes its threads of the cores, and one place of those that a GPU has at once. */
  private static boolean hasSlots(Crew crew, String device, Sites sites, SchedulerSnapshot now) {
    InstancePlan plan = crew.version.plan();
    int each = sites.isCpu(device) ? plan.threads() : 1;
    int wanted = (crew.slots(device) + plan.lanes()) * each;
    return now.devices().stream()
        .anyMatch(known -> known.name().equals(device) && wanted <= known.capacity());
  }

  /** Weights are shared by the instances of a process; a process of its own has its own. */
  private static long bytes(Crew crew, String device, Sites sites) {
    ServedModel served = crew.version.served();
    boolean apart = served.config().isolation() == Isolation.PROCESS;
    if (sites.isCpu(device) && !apart) {
      return ModelFiles.slabBytes(served.signature());
    }
    String owner = served.name() + "/" + served.version() + (apart ? "/" : "/slabs");
    long held = Sites.heldBytes(sites.of(device).ledger(), owner);
    return held * crew.version.plan().lanes() / Math.max(1, crew.slots(device));
  }
}
