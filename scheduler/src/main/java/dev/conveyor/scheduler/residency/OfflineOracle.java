package dev.conveyor.scheduler.residency;

import java.util.Arrays;
import java.util.List;

/**
 * What a trace costs, in bytes loaded, if the future is known. As in service, a model must be in
 * memory to be asked; nothing bypasses the memory.
 *
 * <ul>
 *   <li>{@link #optimumBytes} is Belady's optimum, byte-weighted: every byte is a page of its own,
 *       and the bytes whose model is asked for last go first. For pages of equal size Belady's rule
 *       is optimal, so no schedule of whole models loads less. It may keep half a model, which none
 *       can: a lower bound, exact when all sizes are equal and the budget a multiple of them.
 *   <li>{@link #wholeModelBytes} is the cheaper of two schedules of whole models: furthest first,
 *       and largest product of distance and size first. Finding the best is NP-hard (P. Chrobak et
 *       al., "Caching is hard - even in the fault model", 2012); so the best lies between the two.
 * </ul>
 *
 * <p>Thread-safe: no state.
 */
public final class OfflineOracle {

  private static final int NEVER = Integer.MAX_VALUE;

  private OfflineOracle() {}

  /** Returns the bytes that no schedule can do without. */
  public static long optimumBytes(ResidencyTrace trace, long budgetBytes) {
    List<Integer> requests = trace.models();
    int[] next = nextUse(trace);
    int[] nextOf = new int[trace.bytes().size()];
    long[] held = new long[nextOf.length];
    long used = 0;
    long loaded = 0;
    for (int i = 0; i < requests.size(); i++) {
      int model = requests.get(i);
      nextOf[model] = next[i];
      long missing = trace.bytes().get(model) - held[model];
      loaded += missing;
      used += missing;
      held[model] += missing;
      while (used > budgetBytes) {
        int victim = furthest(held, nextOf, model);
        long freed = Math.min(held[victim], used - budgetBytes);
        held[victim] -= freed;
        used -= freed;
      }
    }
    return loaded;
  }

  /** Returns the bytes that a schedule of whole models loads. */
  public static long wholeModelBytes(ResidencyTrace trace, long budgetBytes) {
    return Math.min(
        wholeModelBytes(trace, budgetBytes, false), wholeModelBytes(trace, budgetBytes, true));
  }

  private static long wholeModelBytes(ResidencyTrace trace, long budgetBytes, boolean bySize) {
    List<Integer> requests = trace.models();
    int[] next = nextUse(trace);
    int[] nextOf = new int[trace.bytes().size()];
    boolean[] held = new boolean[nextOf.length];
    long used = 0;
    long loaded = 0;
    for (int i = 0; i < requests.size(); i++) {
      int model = requests.get(i);
      nextOf[model] = next[i];
      if (held[model]) {
        continue;
      }
      long bytes = trace.bytes().get(model);
      loaded += bytes;
      while (used + bytes > budgetBytes) {
        int victim = -1;
        double worst = -1;
        for (int m = 0; m < held.length; m++) {
          double distance = (double) nextOf[m] - i;
          double cost = bySize ? distance * trace.bytes().get(m) : distance;
          if (held[m] && cost > worst) {
            victim = m;
            worst = cost;
          }
        }
        held[victim] = false;
        used -= trace.bytes().get(victim);
      }
      held[model] = true;
      used += bytes;
    }
    return loaded;
  }

  private static int furthest(long[] held, int[] nextOf, int except) {
    int furthest = -1;
    for (int m = 0; m < held.length; m++) {
      if (m != except && held[m] > 0 && (furthest < 0 || nextOf[m] > nextOf[furthest])) {
        furthest = m;
      }
    }
    return furthest;
  }

  private static int[] nextUse(ResidencyTrace trace) {
    List<Integer> requests = trace.models();
    int[] next = new int[requests.size()];
    int[] seen = new int[trace.bytes().size()];
    Arrays.fill(seen, NEVER);
    for (int i = next.length - 1; i >= 0; i--) {
      next[i] = seen[requests.get(i)];
      seen[requests.get(i)] = i;
    }
    return next;
  }
}
