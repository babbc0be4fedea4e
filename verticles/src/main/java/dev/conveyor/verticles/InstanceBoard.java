package dev.conveyor.verticles;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * The state of every instance of one version, for those who ask.
 *
 * <p>Thread-safe; written by the supervisor, read by front ends.
 */
public final class InstanceBoard {

  /** What an instance can be. */
  public enum State {
    /** Takes batches. */
    READY,
    /** Was lost; another one is being brought up, at once or after a while. */
    QUARANTINED,
    /** Was lost in the middle of an execution that has not come back yet. */
    HUNG
  }

  /**
   * One instance.
   *
   * @param index its number; one that takes the place of another has a number of its own
   * @param slot which of the configured instances it is, or was, counted from 0
   * @param device where it runs, or ran
   * @param pid the process of its own that it runs in; 0 if it has none, or is not ready
   * @param reason why it is not ready; empty if it is
   */
  public record Line(int index, int slot, String device, State state, long pid, String reason) {

    private boolean isLostIn(int wanted) {
      return slot == wanted && state == State.QUARANTINED;
    }
  }

  private final Supplier<String> needs;
  private volatile List<String> devices = List.of();
  private final ConcurrentSkipListMap<Integer, Line> lines = new ConcurrentSkipListMap<>();

  public InstanceBoard() {
    this(() -> "");
  }

  /**
   * Creates the board of a version that needs others.
   *
   * @param needs returns why it cannot run, asked anew each time; empty if it can
   */
  public InstanceBoard(Supplier<String> needs) {
    this.needs = needs;
  }

  /** Notes where the instances run, by slot; what has more slots goes on with the last. */
  public void place(List<String> devicesBySlot) {
    devices = List.copyOf(devicesBySlot);
  }

  /** Returns where the instance of a slot runs; {@code otherwise} if that was not said. */
  public String device(int slot, String otherwise) {
    List<String> known = devices;
    return known.isEmpty() ? otherwise : known.get(Math.min(slot, known.size() - 1));
  }

  /** Returns whether every instance runs on such a device, as far as was said. */
  public boolean isOnlyOn(Predicate<String> wanted) {
    List<String> known = devices;
    for (int i = 0; i < known.size(); i++) {
      if (!wanted.test(known.get(i))) {
        return false;
      }
    }
    return !known.isEmpty();
  }

  /** Adds an instance or changes its line; of a slot only the latest that was lost has one. */
  public void put(Line line) {
    lines.put(line.index(), line);
    // After that: without any line the version would seem ready.
    lines.values().removeIf(other -> other.index() != line.index() && other.isLostIn(line.slot()));
  }

  /** Says something else about why an instance is not ready, if it has a line. */
  public void explain(int index, String reason) {
    Line line = lines.get(index);
    if (line != null) {
      put(new Line(index, line.slot(), line.device(), line.state(), 0, reason));
    }
  }

  /**
   * The execution of an instance that hung has come back. Its line says so until there is one of
   * what takes its place.
   */
  public void cameBack(int index) {
    Line line = lines.get(index);
    if (line == null) {
      return;
    }
    if (lines.tailMap(index, false).values().stream().anyMatch(l -> l.slot() == line.slot())) {
      lines.remove(index);
    } else {
      put(new Line(index, line.slot(), line.device(), State.QUARANTINED, 0, line.reason()));
    }
  }

  /** What was lost in a slot is not replaced. */
  public void forget(int slot) {
    lines.values().removeIf(line -> line.isLostIn(slot));
  }

  public void remove(int index) {
    lines.remove(index);
  }

  /** Returns every instance, by index. */
  public List<Line> lines() {
    return List.copyOf(lines.values());
  }

  /** Returns false if every instance was lost, or something it needs is not there. */
  public boolean isReady() {
    return needs.get().isEmpty() && hasInstance();
  }

  private boolean hasInstance() {
    return lines.isEmpty() || lines.values().stream().anyMatch(l -> l.state() == State.READY);
  }

  /** Returns why no instance is ready; empty if one is. */
  public String reason() {
    String needed = needs.get();
    Map.Entry<Integer, Line> last = lines.lastEntry();
    return !needed.isEmpty() || last == null || hasInstance() ? needed : last.getValue().reason();
  }
}
