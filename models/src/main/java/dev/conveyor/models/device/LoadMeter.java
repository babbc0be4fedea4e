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
 * Not seen is what grows without the ledger, or goes: workspaces of models that run, other
 * processes, and workers that die.
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
    Turn turn = alone(options.device());
    try {
      return measured(options, reservation, loader, closer);
    } finally {
      turn.end();
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
   * Waits until nothing is measured on the device in this process. Nothing is from then on, until
   * the turn ends: for who has another process take memory of it, or give it back, and brings that
   * into the ledger.
   *
   * @return ended by the same thread
   */
  public static Turn alone(int device) {
    ReentrantLock lock = ONE_AT_A_TIME.computeIfAbsent(device, number -> new ReentrantLock());
    lock.lock();
    return lock::unlock;
  }

  /** While it lasts nobody else measures. */
  @FunctionalInterface
  public interface Turn {
    /** Lets others measure. */
    void end();
  }

  /** Gives back what was loaded so, and its place in the ledger, while nothing is measured. */
  public static void unload(int device, Reservation reservation, Runnable unloader) {
    Turn turn = alone(device);
    try {
      unloader.run();
    } finally {
      reservation.close();
      turn.end();
    }
  }
}
