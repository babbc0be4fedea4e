package dev.conveyor.verticles.supervisor;

import dev.conveyor.scheduler.isolation.Backoff;
import dev.conveyor.verticles.InstanceBoard;
import dev.conveyor.verticles.InstanceBoard.Line;
import dev.conveyor.verticles.InstanceBoard.State;
import dev.conveyor.verticles.instance.InstanceVerticle;
import dev.conveyor.verticles.instance.Isolation;
import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The instances of one version: those that work, those that were lost and are not gone yet.
 *
 * <p>Not thread-safe: owned by the supervisor's context.
 */
final class Crew {

  /** One deployed instance. */
  record Member(int index, int slot, String deploymentId, InstanceVerticle instance) {}

  final LoadedVersion version;
  final Isolation isolation;
  private final Map<Integer, Member> members = new HashMap<>();
  private final List<Future<?>> leaving = new ArrayList<>();
  private final Backoff[] backoffs;
  private final int[] hung;
  private final BitSet slots = new BitSet();
  private boolean started;
  private int nextIndex;
  private boolean disbanded;
  private int arrivals;
  private String givenUpFor = "";
  private String lossReason = "";

  Crew(LoadedVersion version, Isolation isolation) {
    this.version = version;
    this.isolation = isolation;
    this.backoffs = new Backoff[version.plan().max()];
    this.hung = new int[backoffs.length];
    board().place(version.plan().devices());
    for (int i = 0; i < backoffs.length; i++) {
      backoffs[i] = new Backoff();
    }
  }

  /** Takes the lowest slot that is free. */
  int takeSlot() {
    int slot = slots.nextClearBit(0);
    if (slot >= hung.length) {
      throw new IllegalStateException("all " + hung.length + " slots are taken");
    }
    slots.set(slot);
    return slot;
  }

  void giveBackSlot(int slot) {
    slots.clear(slot);
  }

  /** Returns how many instances there should be: those that work, and those that will again. */
  int slots() {
    return slots.cardinality();
  }

  /** Returns true if every instance that there should be works. */
  boolean isComplete() {
    return members.size() == slots();
  }

  /** Returns the instance that goes if one is to go; null if none works. */
  @Nullable Member dispensable() {
    return members.values().stream().max(Comparator.comparingInt(Member::slot)).orElse(null);
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
    board().put(new Line(member.index(), member.slot(), State.READY, ""));
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

  /** Notes a thread that does not come back from starting an instance. */
  void hangs(int slot) {
    hung[slot]++;
  }

  /** Such a thread is back. */
  void cameBack(int slot) {
    hung[slot]--;
  }

  /** Takes an instance out of those that work; null if it is not among them. */
  @Nullable Member lose(int index) {
    return members.remove(index);
  }

  /** Remembers an instance that stops; while it is hung that may take for ever. */
  void leaving(Member member, Future<?> stopped, boolean isHung) {
    leaving.add(stopped);
    hung[member.slot()] += isHung ? 1 : 0;
  }

  /** The weights are in use until this is over. */
  void busy(Future<?> until) {
    leaving.add(until);
    until.onComplete(done -> leaving.remove(until));
  }

  void left(Member member, Future<?> stopped, boolean wasHung) {
    leaving.remove(stopped);
    hung[member.slot()] -= wasHung ? 1 : 0;
  }

  /** Returns how many executions of this slot never came back so far. */
  int hung(int slot) {
    return hung[slot];
  }

  Backoff backoff(int slot) {
    return backoffs[slot];
  }

  boolean hasMembers() {
    return !members.isEmpty();
  }

  InstanceBoard board() {
    return version.served().instances();
  }

  /** No more instances are brought up; returns those that work. */
  Collection<Member> disband() {
    disbanded = true;
    return members.values();
  }

  boolean isDisbanded() {
    return disbanded;
  }

  /** Completes when nothing of this crew can touch the weights any more. */
  Future<?> allLeft() {
    return leaving.isEmpty() ? Future.succeededFuture() : Future.join(List.copyOf(leaving));
  }
}
