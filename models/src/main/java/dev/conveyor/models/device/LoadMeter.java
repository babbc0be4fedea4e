package dev.conveyor.models.device;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
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
 */
public final class LoadMeter {

  private static final ConcurrentHashMap<Integer, Site> SITES = new ConcurrentHashMap<>();

  /**
   * The locks of a device.
   *
   * @param loads held by who loads
   * @param measuring exclusive while this process measures, shared by those that give back; taken
   *     after {@code loads} where both are
   */
  private record Site(ReentrantLock loads, ReentrantReadWriteLock measuring) {
    static Site of(int device) {
      return SITES.computeIfAbsent(
          device, number -> new Site(new ReentrantLock(), new ReentrantReadWriteLock()));
    }
  }

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
    Turn loading = alone(options.device());
    try {
      Turn measuring = measuring(options.device());
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
    return turn(Site.of(device).loads());
  }

  /**
   * Waits until this process measures nothing on the device. It does not from then on, until the
   * turn ends: for who gives memory back, and its place in the ledger. Does not wait for what other
   * processes load.
   *
   * @return ended by the same thread, which loads nothing meanwhile
   */
  public static Turn unmeasured(int device) {
    return turn(Site.of(device).measuring().readLock());
  }

  /**
   * Waits until nobody gives back memory of the device. Nobody does from then on, until the turn
   * ends: for who has another process measure what it takes.
   *
   * @return ended by the same thread
   */
  public static Turn measuring(int device) {
    return turn(Site.of(device).measuring().writeLock());
  }

  private static Turn turn(Lock lock) {
    lock.lock();
    return lock::unlock;
  }

  /** While it lasts others wait. */
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
