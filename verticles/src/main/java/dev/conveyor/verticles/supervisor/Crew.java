package dev.conveyor.verticles.supervisor;

import dev.conveyor.scheduler.isolation.Backoff;
import dev.conveyor.verticles.InstanceBoard;
import dev.conveyor.verticles.InstanceBoard.Line;
import dev.conveyor.verticles.InstanceBoard.State;
import dev.conveyor.verticles.instance.InstanceVerticle;
import dev.conveyor.verticles.instance.Isolation;
import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The instances of one version: those that work, those that were lost and are not gone yet.
 *
 * <p>Not thread-safe: owned by the supervisor's context.
 */
final class Crew {

  /**
   * The place of one instance on a device, whoever fills it: one that was lost is replaced in it.
   */
  static final class Slot {
    final int number;
    final String device;
    final Backoff backoff = new Backoff();

    /** Threads that do not come back from starting an instance or running a batch here. */
    private int hung;

    /** There should be an instance. */
    private boolean wanted = true;

    /** When the latest replacement begins to come up. */
    private long replacedAtNs = System.nanoTime();

    private Slot(int number, String device) {
      this.number = number;
      this.device = device;
    }

    int hung() {
      return hung;
    }

    /** Notes when what was lost here is replaced. */
    void replaceAt(long atNs) {
      replacedAtNs = atNs;
    }
  }

  /** One deployed instance. */
  record Member(int index, Slot slot, String deploymentId, InstanceVerticle instance) {}

  /** What uses the weights on a device until it is over. */
  private record Leaving(String device, Future<?> until) {}

  final LoadedVersion version;
  final Isolation isolation;
  private final Map<Integer, Member> members = new HashMap<>();
  private final List<Leaving> leaving = new ArrayList<>();

  /** Those that are wanted, and those that were: threads may hang in them. By number. */
  private final List<Slot> slots = new ArrayList<>();

  private final Set<String> measured = new HashSet<>();
  private boolean started;
  private boolean moving;
  private long loadNs;
  private int nextIndex;
  private boolean disbanded;
  private int arrivals;
  private String givenUpFor = "";
  private String lossReason = "";

  Crew(LoadedVersion version, Isolation isolation) {
    this.version = version;
    this.isolation = isolation;
    board().place(version.plan().devices());
  }

  /** Takes a slot of a device: the first that was given back there, or a new one. */
  Slot takeSlot(String device) {
    Slot slot =
        slots.stream()
            .filter(s -> !s.wanted && s.device.equals(device))
            .findFirst()
            .orElseGet(
                () -> {
                  Slot added = new Slot(slots.size(), device);
                  slots.add(added);
                  return added;
                });
    slot.wanted = true;
    placed();
    return slot;
  }

  /** There is no instance in a slot any more; what was lost in it is not replaced. */
  void giveBackSlot(Slot slot) {
    slot.wanted = false;
    board().forget(slot.number);
    placed();
  }

  /** Returns true while there should be an instance in a slot. */
  boolean wants(Slot slot) {
    return slot.wanted && !disbanded;
  }

  private void placed() {
    board().place(slots.stream().filter(s -> s.wanted).map(s -> s.device).toList());
  }

  /** Returns how many instances there should be: those that work, and those that will again. */
  int slots() {
    return (int) slots.stream().filter(s -> s.wanted).count();
  }

  /** Returns when the first of those that were lost is replaced, which may have passed. */
  long firstReplacementNs(long nowNs) {
    return nowNs
        + slots.stream()
            .filter(s -> s.wanted)
            .mapToLong(s -> s.replacedAtNs - nowNs)
            .min()
            .orElse(0);
  }

  /** Returns how many of them are on a device. */
  int slots(String device) {
    return (int) slots.stream().filter(s -> s.wanted && s.device.equals(device)).count();
  }

  /** Returns where there should be instances, in the order of the names. */
  Set<String> devices() {
    Set<String> devices = new TreeSet<>();
    slots.stream().filter(s -> s.wanted).forEach(s -> devices.add(s.device));
    return devices;
  }

  /** Returns true if every instance that there should be works. */
  boolean isComplete() {
    return members.size() == slots();
  }

  /** Returns the instances that work; a copy. */
  List<Member> members() {
    return List.copyOf(members.values());
  }

  /** Returns the instances that work on a device, those that came last first. */
  List<Member> membersOn(String device) {
    return members.values().stream()
        .filter(member -> member.slot().device.equals(device))
        .sorted(Comparator.<Member>comparingInt(member -> member.slot().number).reversed())
        .toList();
  }

  /**
   * Has instances come or go, one step at a time.
   *
   * @throws IllegalStateException if another step is under way
   */
  Future<Void> move(Supplier<Future<Void>> step) {
    if (moving) {
      throw new IllegalStateException(version.served().key() + " is moving already");
    }
    moving = true;
    return step.get().onComplete(done -> moving = false);
  }

  /** Notes how long it took to bring a copy up, once its turn had come. */
  void loadNs(long tookNs) {
    loadNs = tookNs;
  }

  /** Returns how long that took the last time; 0 if none came up yet. */
  long loadNs() {
    return loadNs;
  }

  /** Returns true while instances come or go on purpose. */
  boolean isMoving() {
    return moving;
  }

  /** Notes that costs are measured on a kind of device; returns false if they were before. */
  boolean measures(String kind) {
    return measured.add(kind);
  }

  /** Notes that costs could not be measured. */
  void hasNotMeasured(String kind) {
    measured.remove(kind);
  }

  /** Notes that it serves. */
  void started() {
    started = true;
  }

  /** Returns true if others are served while one more comes up, which is not urgent then. */
  boolean isServed() {
    return started ? hasMembers() : version.background();
  }

  int nextIndex() {
    return nextIndex++;
  }

  void add(Member member) {
    members.put(member.index(), member);
    arrivals++;
    givenUpFor = "";
  }

  /** An instance takes batches from here on, unless it has been lost meanwhile. */
  void ready(Member member) {
    if (members.containsKey(member.index())) {
      Slot slot = member.slot();
      long pid = member.instance().processId();
      board().put(new Line(member.index(), slot.number, slot.device, State.READY, pid, ""));
    }
  }

  /** Writes on the board why an instance is not ready. */
  void note(Member member, State state, String reason) {
    Slot slot = member.slot();
    board().put(new Line(member.index(), slot.number, slot.device, state, 0, reason));
  }

  /** Returns how many instances have come up so far. */
  int arrivals() {
    return arrivals;
  }

  /** Notes why there is one instance less. */
  void lossReason(String reason) {
    lossReason = reason;
  }

  /** Returns why there is one instance less, the last time. */
  String lossReason() {
    return lossReason;
  }

  /** Notes that nobody waits for an instance any more; returns false if the reason is known. */
  boolean giveUp(String reason) {
    boolean news = !reason.equals(givenUpFor);
    givenUpFor = reason;
    return news;
  }

  /** Notes a thread that does not come back from starting an instance or running a batch. */
  void hangs(Slot slot) {
    slot.hung++;
  }

  /** Such a thread is back. */
  void cameBack(Slot slot) {
    slot.hung--;
  }

  /** Takes an instance out of those that work; null if it is not among them. */
  @Nullable Member lose(int index) {
    return members.remove(index);
  }

  /** Notes an instance whose thread does not come back from a batch, until it has stopped. */
  void hangs(Member member, String reason, Future<?> stopped) {
    Slot slot = member.slot();
    hangs(slot);
    note(member, State.HUNG, reason);
    stopped.onComplete(
        done -> {
          cameBack(slot);
          if (wants(slot)) {
            board().cameBack(member.index());
          } else {
            board().remove(member.index());
          }
        });
  }

  /** The weights on a device are in use until this is over. */
  void busy(String device, Future<?> until) {
    Leaving entry = new Leaving(device, until);
    leaving.add(entry);
    until.onComplete(done -> leaving.remove(entry));
  }

  boolean hasMembers() {
    return !members.isEmpty();
  }

  InstanceBoard board() {
    return version.served().instances();
  }

  /** No more instances are brought up. */
  void disband() {
    disbanded = true;
  }

  boolean isDisbanded() {
    return disbanded;
  }

  /** Completes when nothing of this crew can touch the weights any more. */
  Future<?> allLeft() {
    return joined(leaving);
  }

  /** Completes when nothing of this crew can touch the weights on a device any more. */
  Future<?> allLeft(String device) {
    return joined(leaving.stream().filter(each -> each.device.equals(device)).toList());
  }

  private static Future<?> joined(List<Leaving> leaving) {
    return leaving.isEmpty()
        ? Future.succeededFuture()
        : Future.join(leaving.stream().map(Leaving::until).toList());
  }
}
