package dev.conveyor.scheduler.isolation;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decides which parts of a failed batch to run again, so that a bad request fails alone.
 *
 * <p>Not thread-safe: owned by whoever runs the batch. Runs nothing itself: {@link #next} says what
 * to run, {@link #record} takes how it went, until {@code next} returns null.
 *
 * <p>It is a binary search. A part that failed because of its inputs is halved and the left half
 * runs; if that succeeds, the fault is in the right half, which therefore is halved again without a
 * run of its own. A single request is always run alone before it is blamed, since the fault may
 * have been a passing one. Runs caused by failing inputs are bounded by {@code 2 * ceil(log2 n)}
 * for a batch of {@code n}, which is enough to isolate one culprit wherever it stands; what several
 * culprits leave undecided is in {@link #undecided}.
 *
 * <p>A part that failed for want of a resource says nothing about its inputs: the size of every
 * later run is halved instead, down to single requests. These runs are not counted: each either
 * answers requests or halves the size.
 */
public final class Bisection {

  /** How a run went. */
  public enum Result {
    SUCCEEDED,
    INPUT_FAILED,
    RESOURCE_FAILED
  }

  /** Requests {@code from} (inclusive) to {@code to} (exclusive) of the batch. */
  public record Part(int from, int to) {
    public int size() {
      return to - from;
    }
  }

  private record Run(Part part, @Nullable Part sibling, boolean counted) {}

  private final Deque<Run> unknown = new ArrayDeque<>();
  private final Deque<Part> bad = new ArrayDeque<>();
  private final int maxCountedRuns;
  private int countedRuns;
  private int largest;
  private @Nullable Run current;

  /**
   * Begins with a batch that was run as a whole and failed.
   *
   * @param requests in the batch, 1 or more
   */
  public Bisection(int requests, Result whole) {
    this.maxCountedRuns = maxExtraRuns(requests);
    this.largest = requests;
    current = new Run(new Part(0, requests), null, false);
    record(whole);
  }

  /** Returns how many runs one failing batch may cause beyond its first: {@code 2 ceil(log2 n)}. */
  public static int maxExtraRuns(int requests) {
    return 2 * (32 - Integer.numberOfLeadingZeros(Math.max(1, requests) - 1));
  }

  /** Returns what to run now, or null if there is nothing left or no run left for it. */
  public @Nullable Part next() {
    Run run = unknown.poll();
    if (run == null && !bad.isEmpty()) {
      Part part = bad.pop();
      int middle = part.from() + part.size() / 2;
      run = new Run(new Part(part.from(), middle), new Part(middle, part.to()), true);
    }
    if (run == null) {
      return null;
    }
    if (run.counted() && countedRuns == maxCountedRuns) {
      unknown.push(run);
      return null;
    }
    if (run.part().size() > largest) {
      int cut = run.part().from() + largest;
      Part rest = new Part(cut, run.part().to());
      unknown.push(new Run(rest, run.sibling(), run.counted()));
      run = new Run(new Part(run.part().from(), cut), null, run.counted());
    }
    countedRuns += run.counted() ? 1 : 0;
    current = run;
    return run.part();
  }

  /**
   * Takes how the last {@link #next} went. The caller answers the requests of a part that
   * succeeded, and the request of a part of one that failed.
   */
  public void record(Result result) {
    Run run = current;
    if (run == null) {
      throw new IllegalStateException("nothing was to be run");
    }
    current = null;
    Part part = run.part();
    Part sibling = run.sibling();
    switch (result) {
      case SUCCEEDED -> {
        if (sibling != null) {
          addBad(sibling);
        }
      }
      case INPUT_FAILED -> {
        if (part.size() > 1) {
          addBad(part);
        }
        addUnknown(sibling, true);
      }
      case RESOURCE_FAILED -> {
        addUnknown(sibling, run.counted());
        if (part.size() > 1) {
          largest = Math.max(1, Math.min(largest, part.size() / 2));
          unknown.push(new Run(part, null, false));
        }
      }
    }
  }

  /** Returns the parts that were not isolated, once {@link #next} returned null. */
  public List<Part> undecided() {
    List<Part> parts = new ArrayList<>(bad);
    for (Run run : unknown) {
      parts.add(run.part());
      if (run.sibling() != null) {
        parts.add(run.sibling());
      }
    }
    return parts;
  }

  private void addBad(Part part) {
    if (part.size() > 1) {
      bad.push(part);
    } else {
      unknown.add(new Run(part, null, true));
    }
  }

  private void addUnknown(@Nullable Part part, boolean counted) {
    if (part != null) {
      unknown.add(new Run(part, null, counted));
    }
  }
}
