package dev.conveyor.memory;

import com.sun.jna.Library;
import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs work at the lowest priority that the system has for ordinary threads, so that work which
 * nobody waits for leaves the cores to what somebody waits for.
 *
 * <p>Linux gives every thread a priority of its own (setpriority(2), "nice"), and a thread that is
 * started gets that of the one that starts it. So threads that the work starts and leaves behind,
 * such as a session's thread pool, are set back; and as raising a priority needs a permission
 * ({@code CAP_SYS_NICE}, or a limit), work that starts threads is not lowered without it. Java's
 * own priorities have no effect on Linux by default.
 *
 * <p>Thread-safe: no state. Elsewhere than on Linux the work runs as it is.
 */
public final class ThreadPriority {

  private static final Path TASKS = Path.of("/proc/self/task");
  private static final int PRIO_PROCESS = 0; // a thread, if the number is a thread's
  private static final int NORMAL = 0;
  private static final int LOWEST = 19;
  private static final int SCHED_OTHER = 0;
  private static final int SCHED_IDLE = 5;
  private static final int MOST_PASSES = 8;

  private static final @Nullable LibC LIBC = load();
  private static final ThreadLocal<Boolean> LOWERED = new ThreadLocal<>();
  private static final boolean CAN_RAISE = LIBC != null && canRaise(LIBC);

  private ThreadPriority() {}

  /** Returns true if work that starts threads can be lowered, too. */
  public static boolean canRaise() {
    return CAN_RAISE;
  }

  /**
   * Lowers this thread for good, once: later calls cost nothing. For threads that do nothing else,
   * and start none.
   */
  public static void lowerThisThread() {
    LibC libc = LIBC;
    if (libc != null && !Boolean.TRUE.equals(LOWERED.get())) {
      set(libc, libc.gettid(), LOWEST);
      LOWERED.set(true);
    }
  }

  /**
   * Runs work on this thread at low priority.
   *
   * @param startsThreads whether the work starts threads that live on
   */
  public static <T> T lowered(boolean startsThreads, Supplier<T> work) {
    LibC libc = LIBC;
    if (libc == null || (startsThreads && !CAN_RAISE)) {
      return work.get();
    }
    int self = libc.gettid();
    Set<Integer> before = startsThreads ? threads() : Set.of();
    set(libc, self, LOWEST);
    try {
      return work.get();
    } finally {
      set(libc, self, NORMAL);
      if (startsThreads) {
        for (int thread : threads()) {
          if (!before.contains(thread) && libc.getpriority(PRIO_PROCESS, thread) == LOWEST) {
            set(libc, thread, NORMAL);
          }
        }
      }
    }
  }

  /**
   * Sets the threads of a process back that was started with a niceness of its own, once the work
   * is done that it was lowered for. Does nothing without the permission to.
   */
  public static void restore(long pid, int niceness) {
    LibC libc = LIBC;
    if (libc == null || !CAN_RAISE) {
      return;
    }
    eachThread(
        pid,
        thread -> libc.getpriority(PRIO_PROCESS, thread) == niceness,
        thread -> set(libc, thread, NORMAL));
  }

  /**
   * Has a process run only where a core is idle (sched(7), SCHED_IDLE), threads that it starts
   * included, until it is {@link #wake woken}. Does nothing without the permission to do that.
   */
  public static void idle(long pid) {
    schedule(pid, SCHED_OTHER, SCHED_IDLE);
  }

  /** Has a process that was to run on idle cores only run as its niceness says. */
  public static void wake(long pid) {
    schedule(pid, SCHED_IDLE, SCHED_OTHER);
  }

  /** Returns true if every thread of a process runs on idle cores only. */
  public static boolean isIdle(long pid) {
    LibC libc = LIBC;
    return libc != null
        && threads(tasks(pid)).stream()
            .allMatch(thread -> libc.sched_getscheduler(thread) == SCHED_IDLE);
  }

  private static void schedule(long pid, int from, int to) {
    LibC libc = LIBC;
    if (libc != null && CAN_RAISE) {
      eachThread(
          pid,
          thread -> libc.sched_getscheduler(thread) == from,
          thread -> {
            int unused = libc.sched_setscheduler(thread, to, new int[] {0});
          });
    }
  }

  private static void eachThread(long pid, IntPredicate isToChange, IntConsumer change) {
    boolean found = true;
    // A thread that is started meanwhile has the priority of the one that starts it.
    for (int pass = 0; found && pass < MOST_PASSES; pass++) {
      found = false;
      for (int thread : threads(tasks(pid))) {
        if (isToChange.test(thread)) {
          change.accept(thread);
          found = true;
        }
      }
    }
  }

  private static Path tasks(long pid) {
    return Path.of("/proc", Long.toString(pid), "task");
  }

  /** Returns the niceness of this thread, -20 to 19; 0 where there is none. */
  public static int current() {
    return LIBC == null ? NORMAL : LIBC.getpriority(PRIO_PROCESS, LIBC.gettid());
  }

  /** A priority that cannot be set stays as it is: the work is done all the same. */
  private static void set(LibC libc, int thread, int niceness) {
    int unused = libc.setpriority(PRIO_PROCESS, thread, niceness);
  }

  private static Set<Integer> threads() {
    return threads(TASKS);
  }

  private static Set<Integer> threads(Path directory) {
    Set<Integer> threads = new HashSet<>();
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(directory)) {
      for (Path task : tasks) {
        threads.add(Integer.parseInt(String.valueOf(task.getFileName())));
      }
    } catch (IOException | NumberFormatException e) {
      // A thread that is not found keeps its priority.
    }
    return threads;
  }

  private static boolean canRaise(LibC libc) {
    Probe probe = new Probe(libc);
    probe.start();
    try {
      probe.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    return probe.can;
  }

  /**
   * Tries it on a thread that is not needed afterwards. A class of its own, which does not wait for
   * the outer one to be initialised, as a lambda would.
   */
  private static final class Probe extends Thread {

    private final LibC libc;
    private volatile boolean can;

    Probe(LibC libc) {
      super("priority-probe");
      this.libc = libc;
    }

    @Override
    public void run() {
      int self = libc.gettid();
      can =
          libc.setpriority(PRIO_PROCESS, self, NORMAL + 1) == 0
              && libc.setpriority(PRIO_PROCESS, self, NORMAL) == 0;
    }
  }

  private static @Nullable LibC load() {
    try {
      LibC libc = Native.load("c", LibC.class);
      int unused = libc.gettid();
      return Files.isDirectory(TASKS) ? libc : null;
    } catch (LinkageError e) {
      return null;
    }
  }

  /** The functions called. Public because JNA implements it. */
  public interface LibC extends Library {
    int gettid();

    int getpriority(int which, int who);

    int setpriority(int which, int who, int priority);

    int sched_getscheduler(int thread);

    int sched_setscheduler(int thread, int policy, int[] priority);
  }
}
