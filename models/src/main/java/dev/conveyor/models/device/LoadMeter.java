package dev.conveyor.models.device;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Measures what a library takes of a device to load a model, where it does not tell: by the bytes
 * of the device that are free before and after. Thread-safe.
 *
 * <p>One load at a time is measured per device, and what it took is in the ledger before the next
 * one begins. What others put into the same ledger meanwhile, or took out of it, is not counted.
 * Not seen is what grows without the ledger: workspaces of models that run, and other processes.
 */
public final class LoadMeter {

  private static final ConcurrentHashMap<Integer, ReentrantLock> ONE_AT_A_TIME =
      new ConcurrentHashMap<>();

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
    return alone(options.device(), () -> measured(options, reservation, loader, closer));
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
   * Has another process load something, while nothing is measured on the device in this one. Waits
   * for its turn.
   *
   * @param load ends with what was taken in the ledger
   */
  public static <T, E extends Exception> T alone(int device, Load<T, E> load) throws E {
    ReentrantLock lock = lockOf(device);
    lock.lock();
    try {
      return load.run();
    } finally {
      lock.unlock();
    }
  }

  /** What takes memory of a device. */
  @FunctionalInterface
  public interface Load<T, E extends Exception> {
    /** Loads it. */
    T run() throws E;
  }

  /** Gives back what was loaded so, and its place in the ledger, while nothing is measured. */
  public static void unload(int device, Reservation reservation, Runnable unloader) {
    ReentrantLock lock = lockOf(device);
    lock.lock();
    try {
      unloader.run();
    } finally {
      reservation.close();
      lock.unlock();
    }
  }

  private static ReentrantLock lockOf(int device) {
    return ONE_AT_A_TIME.computeIfAbsent(device, number -> new ReentrantLock());
  }
}
