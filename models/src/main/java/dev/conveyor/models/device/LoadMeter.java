package dev.conveyor.models.device;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Measures what a library takes of a device to load a model, where it does not tell: by the bytes
 * of the device that are free before and after. Thread-safe.
 *
 * <p>One load at a time is measured per device, and what it took is in the ledger before the next
 * one begins. What others put into the same ledger meanwhile, or took out of it, is not counted.
 * Not seen is what grows without the ledger, or goes: workspaces of models that run, other
 * processes, and workers that die. A worker that measures its own load tells the server when it
 * begins to, not before, since a load can take minutes: no other one loads or is closed meanwhile.
 *
 * <p>A load of this process that does not come back holds up nobody for good: after {@link
 * #PATIENCE} the others go on beside it. What they take is measured all the same, and is right
 * unless it does take more.
 */
public final class LoadMeter {

  /** Longer than nearly all loads take. */
  public static final Duration PATIENCE = Duration.ofSeconds(30);

  /** What another process does ends with that process, which has a limit of its own. */
  private static final Duration ENDS_FOR_SURE = Duration.ofDays(1);

  private static final ConcurrentHashMap<Integer, Site> SITES = new ConcurrentHashMap<>();

  /**
   * The locks of a device.
   *
   * @param loads held by who loads
   * @param measuring exclusive while this process measures, shared by those that give back; taken
   *     after {@code loads} where both are
   */
  private record Site(PatientLock loads, PatientLock measuring) {
    static Site of(int device) {
      return SITES.computeIfAbsent(
          device, number -> new Site(new PatientLock(PATIENCE), new PatientLock(PATIENCE)));
    }
  }

  /** Of who waits no more: nothing is kept from others. */
  private static final Turn NO_TURN = () -> {};

  private LoadMeter() {}

  /**
   * Loads something and makes {@code reservation} what it took. The calling thread has set the
   * device.
   *
   * @param reservation in the ledger of {@code options}, of nothing yet
   * @param closer undoes the load if it does not fit into the ledger
   * @throws dev.conveyor.memory.BudgetExceededException if it does not
   */
  public static <T> T load(
      GpuLoadOptions options, Reservation reservation, Supplier<T> loader, Consumer<T> closer) {
    Site site = Site.of(options.device());
    Turn loading = turn(site.loads(), site.loads().takeAlone());
    try {
      Turn measuring = turn(site.measuring(), site.measuring().takeAlone());
      try {
        options.beforeMeasuring().run();
        return measured(options, reservation, loader, closer);
      } finally {
        measuring.end();
      }
    } finally {
      loading.end();
    }
  }

  private static <T> T measured(
      GpuLoadOptions options, Reservation reservation, Supplier<T> loader, Consumer<T> closer) {
    MemoryBudget ledger = options.budget().whole();
    long reservedBefore = ledger.reservedBytes();
    long freeBefore = options.cuda().freeBytes();
    T loaded = loader.get();
    try {
      long taken = freeBefore - options.cuda().freeBytes();
      long others = ledger.reservedBytes() - reservedBefore;
      reservation.resize(Math.max(0, taken - others));
      return loaded;
    } catch (RuntimeException | Error e) {
      closer.accept(loaded);
      throw e;
    }
  }

  /**
   * Waits until nothing else loads on the device. Nothing does from then on, until the turn ends:
   * for who has another process take memory of it, and brings that into the ledger.
   *
   * @return ended by the same thread
   */
  public static Turn alone(int device) {
    PatientLock loads = Site.of(device).loads();
    return turn(loads, loads.takeAlone(ENDS_FOR_SURE));
  }

  /**
   * Waits until this process measures nothing on the device. It does not from then on, until the
   * turn ends: for who gives memory back, and its place in the ledger. Does not wait for what other
   * processes load.
   *
   * @return ended by the same thread, which loads nothing meanwhile
   */
  public static Turn unmeasured(int device) {
    PatientLock measuring = Site.of(device).measuring();
    return measuring.takeShared() ? measuring::endShared : NO_TURN;
  }

  /**
   * Waits until nobody gives back memory of the device. Nobody does from then on, until the turn
   * ends: for who has another process measure what it takes.
   *
   * @return ended by the same thread
   */
  public static Turn measuring(int device) {
    PatientLock measuring = Site.of(device).measuring();
    return turn(measuring, measuring.takeAlone(ENDS_FOR_SURE));
  }

  private static Turn turn(PatientLock lock, boolean taken) {
    return taken ? lock::endAlone : NO_TURN;
  }

  /** While it lasts others wait, but for those whose patience has ended. */
  @FunctionalInterface
  public interface Turn {
    /** Lets others go on. */
    void end();
  }

  /** Gives back what was loaded so, and its place in the ledger, while nothing is measured. */
  public static void unload(int device, Reservation reservation, Runnable unloader) {
    Turn turn = unmeasured(device);
    try {
      unloader.run();
    } finally {
      reservation.close();
      turn.end();
    }
  }
}
