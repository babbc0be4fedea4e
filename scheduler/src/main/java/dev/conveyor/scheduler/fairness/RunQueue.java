package dev.conveyor.scheduler.fairness;

import dev.conveyor.scheduler.fairness.IndexedHeap.Node;
import dev.conveyor.scheduler.fairness.StartTimeFairQueue.Flow;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Who may run next on one device: everything that has a batch ready, in three orders.
 *
 * <p>Not thread-safe: owned by the scheduler, one per device.
 *
 * <ol>
 *   <li>Classes are strict: nothing runs while a higher class has something ready.
 *   <li>In a class, device time is shared by weight: an entry is eligible while its start tag is at
 *       most a window ahead of the smallest tag ({@link StartTimeFairQueue}).
 *   <li>Among eligible entries the one that must start first to meet its deadline goes first;
 *       without deadlines the smallest tag does. Earliest deadline alone would let the model with
 *       the tightest objective starve the others under overload.
 *   <li>Where several batches run at once, what the device is warm for goes on in place of one that
 *       runs beside it already: models that take turns cost a CPU their weights in its caches each
 *       time, and wake threads on cores that are busy.
 * </ol>
 *
 * <p>An entry whose batch needs more room than there is, or that is not to run beside what runs, is
 * passed over, but only by eligible ones: once all of those are a window ahead, the device drains
 * until it fits. So a batch that needs every core is not starved by a stream of small ones.
 *
 * <p>Entries of one class and width share three heaps (tags, eligible ones by latest start, the
 * others by the virtual time at which they become eligible), as in earliest-eligible-virtual-
 * deadline-first queues. A decision costs O(log n) in the entries and O(1) in the widths in use,
 * which are few.
 *
 * @param <T> what runs
 */
public final class RunQueue<T> {

  /**
   * One competitor for the device.
   *
   * @param <T> what runs
   */
  public static final class Entry<T> {
    private final T value;
    private final Flow flow;
    private final Node<Entry<T>> byTag;
    private final Node<Entry<T>> byTurn;
    private double latestStart;
    private boolean eligible;
    private int running;
    private @Nullable Width<T> width;

    private Entry(T value, Flow flow) {
      this.value = value;
      this.flow = flow;
      this.byTag = new Node<>(this);
      this.byTurn = new Node<>(this);
    }

    public T value() {
      return value;
    }

    public Flow flow() {
      return flow;
    }

    /** Returns true while it has something ready. */
    public boolean isReady() {
      return width != null;
    }
  }

  private final StartTimeFairQueue fair = new StartTimeFairQueue();
  private final List<List<Width<T>>> classes = new ArrayList<>();
  private int size;

  /** Creates an empty queue for classes 0, the highest, to {@code classes - 1}. */
  public RunQueue(int classes) {
    for (int i = 0; i < classes; i++) {
      this.classes.add(new ArrayList<>(2));
    }
  }

  /** Adds a competitor that has nothing ready yet. */
  public Entry<T> add(T value, double weight) {
    return new Entry<>(value, fair.addFlow(weight));
  }

  /** Returns true if nobody has anything ready. */
  public boolean isEmpty() {
    return size == 0;
  }

  /** Returns true if anyone else has something ready. */
  public boolean hasOthersThan(Entry<T> entry) {
    return size > (entry.isReady() ? 1 : 0);
  }

  /** Tells that an idle competitor has something to do again: it saved up no credit. */
  public void activate(Entry<T> entry) {
    fair.activate(entry.flow);
  }

  /**
   * Tells that an entry has a batch ready, or that what was told before has changed.
   *
   * @param level its class, 0 the highest
   * @param units room that its batch needs
   * @param latestStart when the batch must start, on any scale; infinite if it need not
   */
  public void put(Entry<T> entry, int level, int units, double latestStart) {
    Width<T> width = width(level, units);
    if (entry.width != width) {
      remove(entry);
      fair.enter(entry.flow);
      entry.width = width;
      entry.eligible = false;
      size++;
    }
    entry.latestStart = latestStart;
    width.set(entry, fair);
  }

  /** Tells that the batch of an entry that is ready must start at another time. */
  public void setLatestStart(Entry<T> entry, double latestStart) {
    entry.latestStart = latestStart;
    Width<T> width = entry.width;
    if (width != null) {
      width.setTurn(entry, fair);
    }
  }

  /** Tells that an entry has nothing ready. */
  public void remove(Entry<T> entry) {
    Width<T> width = entry.width;
    if (width != null) {
      width.remove(entry);
      entry.width = null;
      size--;
    }
  }

  /** Returns what is to run next if there are {@code room} units, or null. */
  public @Nullable Entry<T> choose(int room) {
    return choose(room, null, value -> true);
  }

  /**
   * Returns what is to run next if there are {@code room} units, or null.
   *
   * @param warm what the device ran last, and would run cheaper than others; null if that does not
   *     matter
   * @param suits says who is not to run beside what runs now; passed over as those are that need
   *     more room
   */
  public @Nullable Entry<T> choose(int room, @Nullable Entry<T> warm, Predicate<? super T> suits) {
    for (int i = 0; i < classes.size(); i++) {
      List<Width<T>> widths = classes.get(i);
      double first = Double.POSITIVE_INFINITY;
      for (int j = 0; j < widths.size(); j++) {
        first = Math.min(first, widths.get(j).smallestTag());
      }
      if (first == Double.POSITIVE_INFINITY) {
        continue;
      }
      Entry<T> best = null;
      for (int j = 0; j < widths.size(); j++) {
        Entry<T> next = widths.get(j).units <= room ? widths.get(j).next(first, fair, suits) : null;
        if (next != null && (best == null || isBefore(next.byTurn, best.byTurn))) {
          best = next;
        }
      }
      return best != null
              && best.running > 0
              && best.latestStart == Double.POSITIVE_INFINITY
              && warm != null
              && isEligible(warm, widths, room, first)
              && suits.test(warm.value)
          ? warm
          : best;
    }
    return null;
  }

  /** Returns whether an entry without a deadline could be chosen as well as the best one. */
  private boolean isEligible(Entry<T> entry, List<Width<T>> widths, int room, double first) {
    Width<T> width = entry.width;
    return width != null
        && width.units <= room
        && widths.contains(width)
        && entry.latestStart == Double.POSITIVE_INFINITY
        && entry.byTag.key() - fair.windowNs(entry.flow) <= first;
  }

  /** Charges a batch when it starts. */
  public void dispatch(Entry<T> entry, double costNs) {
    entry.running++;
    fair.dispatch(entry.flow, costNs);
    update(entry);
  }

  /** Replaces the predicted cost of a batch by the actual one. */
  public void complete(Entry<T> entry, double predictedNs, double actualNs) {
    entry.running--;
    fair.complete(entry.flow, predictedNs, actualNs);
    update(entry);
  }

  private void update(Entry<T> entry) {
    if (entry.width != null) {
      entry.width.set(entry, fair);
    }
  }

  private Width<T> width(int level, int units) {
    List<Width<T>> widths = classes.get(level);
    for (int i = 0; i < widths.size(); i++) {
      if (widths.get(i).units == units) {
        return widths.get(i);
      }
    }
    Width<T> width = new Width<>(units);
    widths.add(width);
    return width;
  }

  private static boolean isBefore(Node<?> a, Node<?> b) {
    return a.key() < b.key() || (a.key() == b.key() && a.tie() < b.tie());
  }

  /** Ready entries of one class whose batches need the same room. */
  private static final class Width<T> {
    final int units;
    private final IndexedHeap<Entry<T>> byTag = new IndexedHeap<>();
    private final IndexedHeap<Entry<T>> eligible = new IndexedHeap<>();
    private final IndexedHeap<Entry<T>> ahead = new IndexedHeap<>();

    /** Taken out of {@link #eligible} while others are looked at. */
    private final List<Entry<T>> passedOver = new ArrayList<>();

    Width(int units) {
      this.units = units;
    }

    double smallestTag() {
      Node<Entry<T>> first = byTag.peek();
      return first == null ? Double.POSITIVE_INFINITY : first.key();
    }

    void set(Entry<T> entry, StartTimeFairQueue fair) {
      double tag = fair.startTag(entry.flow);
      byTag.set(entry.byTag, tag, 0);
      setTurn(entry, fair);
    }

    void setTurn(Entry<T> entry, StartTimeFairQueue fair) {
      double tag = fair.startTag(entry.flow);
      if (entry.eligible) {
        eligible.set(entry.byTurn, entry.latestStart, tag);
      } else {
        ahead.set(entry.byTurn, tag - fair.windowNs(entry.flow), tag);
      }
    }

    void remove(Entry<T> entry) {
      byTag.remove(entry.byTag);
      (entry.eligible ? eligible : ahead).remove(entry.byTurn);
    }

    /**
     * Returns the most urgent entry that suits and is not too far ahead of the smallest tag, or
     * null.
     */
    @Nullable Entry<T> next(double first, StartTimeFairQueue fair, Predicate<? super T> suits) {
      Node<Entry<T>> turn = ahead.peek();
      while (turn != null && turn.key() <= first) {
        ahead.remove(turn);
        Entry<T> entry = turn.value();
        entry.eligible = true;
        eligible.set(turn, entry.latestStart, entry.byTag.key());
        turn = ahead.peek();
      }
      Entry<T> found = null;
      turn = eligible.peek();
      while (turn != null && found == null) {
        Entry<T> entry = turn.value();
        double eligibleAt = entry.byTag.key() - fair.windowNs(entry.flow);
        if (eligibleAt > first) {
          eligible.remove(turn);
          entry.eligible = false;
          ahead.set(turn, eligibleAt, entry.byTag.key());
        } else if (suits.test(entry.value)) {
          found = entry;
        } else {
          eligible.remove(turn);
          passedOver.add(entry);
        }
        turn = eligible.peek();
      }
      for (int i = 0; i < passedOver.size(); i++) {
        Entry<T> entry = passedOver.get(i);
        eligible.set(entry.byTurn, entry.latestStart, entry.byTag.key());
      }
      passedOver.clear();
      return found;
    }
  }
}
