package dev.conveyor.verticles.stream;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The frames of one stream: which goes to the model next, which is lost, and whose answer goes out.
 *
 * <p>Not thread-safe: owned by the event loop of the stream. It sends nothing itself; after every
 * call the owner polls what there is to do: frames to submit, frames that were dropped, frames
 * whose answers are to be delivered.
 *
 * <p>A frame is under way from the moment it is let in until its answer was polled, so that answers
 * which wait for an earlier one count too: a stream in order holds no more than one that is not.
 *
 * <p>Invariants: {@code received = answered + failed + dropped + abandoned + in flight + waiting};
 * never more than {@code maxInFlight} are in flight; under {@code latest} at most one waits, under
 * {@code drop} none; under {@code block} those wait that came with a read that was under way when
 * reading had to stop, and none is dropped.
 *
 * @param <F> a frame
 */
public final class FrameGate<F> {

  /**
   * What became of the frames so far.
   *
   * @param answered frames whose result was polled
   * @param failed frames whose failure was polled
   * @param abandoned frames that were under way or waiting when the stream was given up
   */
  public record Counts(
      long received,
      long answered,
      long failed,
      long dropped,
      long abandoned,
      int inFlight,
      int waiting) {}

  private static final class Slot<F> {
    private final long number;
    private final F frame;
    private boolean settled;
    private boolean good;

    Slot(long number, F frame) {
      this.number = number;
      this.frame = frame;
    }
  }

  private final StreamTerms terms;

  /** By number, in the order in which they were let in, which is that of the numbers. */
  private final Map<Long, Slot<F>> inFlight = new LinkedHashMap<>();

  private final Deque<Slot<F>> settled = new ArrayDeque<>();
  private final Deque<F> ready = new ArrayDeque<>();
  private final Deque<Slot<F>> waiting = new ArrayDeque<>();
  private final Deque<F> dropped = new ArrayDeque<>();

  private long received;
  private long answeredCount;
  private long failedCount;
  private long droppedCount;
  private long abandonedCount;

  public FrameGate(StreamTerms terms) {
    this.terms = terms;
  }

  /** Takes a frame and returns its number, from 0. */
  public long offer(F frame) {
    Slot<F> slot = new Slot<>(received++, frame);
    if (waiting.isEmpty() && underWay() < terms.maxInFlight()) {
      letIn(slot);
      return slot.number;
    }
    switch (terms.policy()) {
      case BLOCK -> waiting.add(slot);
      case DROP -> drop(slot);
      case LATEST -> {
        waiting.forEach(this::drop);
        waiting.clear();
        waiting.add(slot);
      }
    }
    return slot.number;
  }

  /**
   * Returns the next frame for the model, which is under way from now on; null if there is none.
   */
  public @Nullable F pollReady() {
    return ready.poll();
  }

  /** Returns a frame that was dropped and has not been polled yet; null if there is none. */
  public @Nullable F pollDropped() {
    return dropped.poll();
  }

  /**
   * Notes that the outcome of a frame is there. One that is not under way any more is ignored.
   *
   * @param good it has a result; else it failed
   */
  public void settle(long number, boolean good) {
    Slot<F> slot = inFlight.get(number);
    if (slot == null || slot.settled) {
      return;
    }
    slot.settled = true;
    slot.good = good;
    if (!terms.inOrder()) {
      inFlight.remove(number);
      settled.add(slot);
      return;
    }
    Iterator<Slot<F>> oldestFirst = inFlight.values().iterator();
    while (oldestFirst.hasNext()) {
      Slot<F> oldest = oldestFirst.next();
      if (!oldest.settled) {
        return;
      }
      oldestFirst.remove();
      settled.add(oldest);
    }
  }

  /** Returns the next frame whose answer is to be delivered; null if there is none now. */
  public @Nullable F pollSettled() {
    Slot<F> slot = settled.poll();
    if (slot == null) {
      return null;
    }
    if (slot.good) {
      answeredCount++;
    } else {
      failedCount++;
    }
    advance();
    return slot.frame;
  }

  /** Returns false while the sender has to wait. */
  public boolean mayRead() {
    return terms.policy() != FramePolicy.BLOCK || underWay() < terms.maxInFlight();
  }

  /** Returns true if nothing waits, nothing is under way and nothing is to be polled. */
  public boolean isEmpty() {
    return underWay() == 0 && waiting.isEmpty() && dropped.isEmpty();
  }

  /** Gives up on everything that is not answered, and returns it; what was dropped is not in it. */
  public List<F> abandon() {
    List<F> left = new ArrayList<>();
    settled.forEach(slot -> left.add(slot.frame));
    inFlight.values().forEach(slot -> left.add(slot.frame));
    waiting.forEach(slot -> left.add(slot.frame));
    abandonedCount += left.size();
    settled.clear();
    inFlight.clear();
    ready.clear();
    waiting.clear();
    return left;
  }

  public Counts counts() {
    return new Counts(
        received,
        answeredCount,
        failedCount,
        droppedCount,
        abandonedCount,
        underWay(),
        waiting.size());
  }

  private int underWay() {
    return inFlight.size() + settled.size();
  }

  private void drop(Slot<F> slot) {
    droppedCount++;
    dropped.add(slot.frame);
  }

  private void letIn(Slot<F> slot) {
    inFlight.put(slot.number, slot);
    ready.add(slot.frame);
  }

  private void advance() {
    while (!waiting.isEmpty() && underWay() < terms.maxInFlight()) {
      letIn(waiting.remove());
    }
  }
}
