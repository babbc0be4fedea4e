package dev.conveyor.scheduler.fairness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.scheduler.fairness.FairTurns.Backlog;
import dev.conveyor.scheduler.fairness.FairTurns.Owner;
import dev.conveyor.scheduler.fairness.FairTurns.Piece;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.junit.jupiter.api.Test;

/** Whose images are decoded next, on threads that are played in virtual time. */
final class FairTurnsTest {

  private static final int MANY = 100_000;
  private static final long MS = 1_000_000;

  @Test
  void shouldNotLetALongBacklogDelayAnotherByMoreThanWhatHasBegun() {
    Threads threads = new Threads(2);
    Owner photos = new Owner(1, MANY);
    Owner icons = new Owner(1, MANY);
    for (int i = 0; i < 1000; i++) {
      threads.ask(photos, 5 * MS);
    }
    threads.runUntil(42 * MS);

    for (int i = 0; i < 50; i++) {
      long askedNs = threads.nowNs;
      Job icon = threads.ask(icons, MS);
      threads.runUntil(askedNs + 7 * MS);
      assertThat(icon.beganNs - askedNs).isBetween(0L, 5 * MS);
    }
    assertThat(threads.turns.waiting()).as("the backlog is as long as ever").isGreaterThan(800);
  }

  @Test
  void shouldShareTheTimeOfTheThreadsByWeightAndNotByPieces() {
    Threads threads = new Threads(2);
    Owner slow = new Owner(1, MANY);
    Owner fast = new Owner(1, MANY);
    Owner heavy = new Owner(2, MANY);
    for (int i = 0; i < 20_000; i++) {
      threads.ask(slow, 8 * MS);
      threads.ask(fast, MS);
      threads.ask(heavy, 2 * MS);
    }
    threads.runUntil(4_000 * MS);

    double allNs = 2 * 4_000 * MS;
    assertThat(threads.tookNs(slow) / allNs).isCloseTo(0.25, within(0.01));
    assertThat(threads.tookNs(fast) / allNs).isCloseTo(0.25, within(0.01));
    assertThat(threads.tookNs(heavy) / allNs).isCloseTo(0.5, within(0.01));
  }

  @Test
  void shouldTakeTurnsWhileNothingIsKnownOfAnyAndKeepTheOrderOfEach() {
    List<String> begun = new ArrayList<>();
    FairTurns turns = new FairTurns(MANY);
    Owner photos = new Owner(1, MANY);
    Owner icons = new Owner(1, MANY);
    for (String name : List.of("p1", "p2", "p3", "i1", "i2")) {
      Piece piece = new Piece(name.startsWith("p") ? photos : icons, () -> begun.add(name));
      assertThat(turns.admit(piece)).isTrue();
      turns.add(piece);
    }
    for (Piece next = turns.poll(); next != null; next = turns.poll()) {
      next.go();
    }
    assertThat(begun).containsExactly("p1", "i1", "p2", "i2", "p3");
  }

  @Test
  void shouldNotChargeWhatWasGivenUpBeforeItsTurn() {
    Threads threads = new Threads(1);
    Owner patient = new Owner(1, MANY);
    Owner gone = new Owner(1, MANY);
    threads.ask(patient, 4 * MS);
    threads.ask(gone, 4 * MS);
    threads.runUntil(20 * MS);
    for (int i = 0; i < 100; i++) {
      threads.ask(patient, 4 * MS);
      threads.giveUp(threads.ask(gone, 4 * MS));
    }
    Job last = threads.ask(gone, 4 * MS);
    threads.runUntil(20 * MS + 9 * MS);

    assertThat(last.beganNs).as("hundred of its own cost nothing").isLessThanOrEqualTo(28 * MS);
    assertThat(threads.turns.backlog(gone, 1).pieceNs())
        .as("nor are they learned")
        .isEqualTo(4 * MS);
  }

  @Test
  void shouldForgetWhatWasOwedOnceNobodyHasAnything() {
    Threads threads = new Threads(1);
    Owner once = new Owner(1, MANY);
    Owner many = new Owner(1, MANY);
    threads.ask(once, 3_000 * MS);
    threads.runUntil(3_100 * MS);
    for (int i = 0; i < 1000; i++) {
      threads.ask(many, 5 * MS);
    }

    Job next = threads.ask(once, 5 * MS);
    threads.runUntil(3_150 * MS);

    assertThat(next.beganNs).isBetween(3_100 * MS, 3_110 * MS);
  }

  @Test
  void shouldGiveNoCreditToWhoStayedAway() {
    Threads threads = new Threads(1);
    Owner always = new Owner(1, MANY);
    Owner seldom = new Owner(1, MANY);
    threads.ask(seldom, MS);
    for (int i = 0; i < 5000; i++) {
      threads.ask(always, MS);
    }
    threads.runUntil(2_000 * MS);
    long beforeNs = threads.tookNs(always);
    for (int i = 0; i < 5000; i++) {
      threads.ask(seldom, MS);
    }
    threads.runUntil(2_100 * MS);
    assertThat(threads.tookNs(always) - beforeNs).isBetween(49 * MS, 51 * MS);
  }

  @Test
  void shouldBoundTheOwnersEachAndTogether() {
    FairTurns turns = new FairTurns(5);
    Owner photos = new Owner(1, 3);
    Owner icons = new Owner(1, 3);
    List<Piece> taken = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      taken.add(new Piece(photos, () -> {}));
      assertThat(turns.admit(taken.get(i))).isTrue();
      turns.begin(taken.get(i));
    }
    assertThat(turns.admit(new Piece(photos, () -> {}))).as("its own bound").isFalse();
    assertThat(turns.admit(new Piece(icons, () -> {}))).isTrue();
    assertThat(turns.admit(new Piece(icons, () -> {}))).isTrue();
    assertThat(turns.admit(new Piece(icons, () -> {}))).as("the bound of all").isFalse();

    assertThat(turns.end(taken.get(0), MS, true)).isTrue();
    assertThat(turns.end(taken.get(0), MS, true)).as("it ends once").isFalse();
    assertThat(turns.admit(new Piece(icons, () -> {}))).isTrue();
    assertThat(turns.admit(new Piece(photos, () -> {}))).isFalse();
  }

  @Test
  void shouldPredictNothingForWhoHasNothingWaiting() {
    Threads threads = new Threads(1);
    Owner photos = new Owner(1, MANY);
    Owner icons = new Owner(1, MANY);
    threads.ask(icons, 7 * MS);
    threads.ask(photos, 5 * MS);
    threads.runUntil(20 * MS);
    for (int i = 0; i < 1000; i++) {
      threads.ask(photos, 5 * MS);
    }
    assertThat(threads.turns.backlog(icons, 1)).isEqualTo(new Backlog(0, 7 * MS, 0));
    threads.ask(icons, 7 * MS);
    // 7 ms of its own, as much of the photos meanwhile, and its own again.
    assertThat(threads.turns.backlog(icons, 1)).isEqualTo(new Backlog(1, 7 * MS, 21 * MS));
    assertThat(threads.turns.backlog(icons, 2).doneNs()).isEqualTo(14 * MS);
    assertThat(threads.turns.backlog(photos, 1).doneNs())
        .as("of the icons no more than there are")
        .isEqualTo(1000 * 5 * MS + 7 * MS + 5 * MS);
  }

  @Test
  void shouldPredictByWeightWhatComesTrue() {
    Threads threads = new Threads(1);
    Owner light = new Owner(1, MANY);
    Owner heavy = new Owner(3, MANY);
    threads.ask(light, 2 * MS);
    threads.ask(heavy, 2 * MS);
    threads.runUntil(10 * MS);
    for (int i = 0; i < 400; i++) {
      threads.ask(light, 2 * MS);
      threads.ask(heavy, 2 * MS);
    }
    for (int i = 0; i < 29; i++) {
      threads.ask(heavy, 2 * MS);
    }
    long predictedNs = threads.turns.backlog(heavy, 1).doneNs();
    Job last = threads.ask(heavy, 2 * MS);
    threads.runUntil(10_000 * MS);
    assertThat((double) (last.beganNs + 2 * MS - 10 * MS))
        .isCloseTo((double) predictedNs, within(8.0 * MS));
  }

  @Test
  void shouldLearnFromPiecesThatCameBeforeAnythingWasKnown() {
    Threads threads = new Threads(1);
    Owner photos = new Owner(1, MANY);
    for (int i = 0; i < 3; i++) {
      threads.ask(photos, 4 * MS);
    }
    assertThat(threads.turns.backlog(photos, 1)).isEqualTo(new Backlog(3, 0, 0));
    threads.runUntil(4 * MS);
    assertThat(threads.turns.backlog(photos, 1)).isEqualTo(new Backlog(2, 4 * MS, 12 * MS));
  }

  /** A piece that takes as long as it says. */
  private static final class Job {
    final Owner owner;
    final Piece piece;
    long tookNs;
    long beganNs = -1;
    long endsNs;

    Job(Owner owner, long tookNs, Threads on) {
      this.owner = owner;
      this.tookNs = tookNs;
      this.piece = new Piece(owner, () -> on.begin(this));
    }
  }

  /** Threads that have nothing else to do; time moves by hand. */
  private static final class Threads {
    final FairTurns turns = new FairTurns(MANY);
    final PriorityQueue<Job> running =
        new PriorityQueue<>(Comparator.comparingLong(job -> job.endsNs));
    final Map<Owner, Long> had = new HashMap<>();
    final int threads;
    long nowNs;

    Threads(int threads) {
      this.threads = threads;
    }

    Job ask(Owner owner, long tookNs) {
      Job job = new Job(owner, tookNs, this);
      assertThat(turns.admit(job.piece)).isTrue();
      if (running.size() < threads) {
        turns.begin(job.piece);
        begin(job);
      } else {
        turns.add(job.piece);
      }
      return job;
    }

    /** Nobody wants it any more: it is over as soon as its turn comes. */
    void giveUp(Job job) {
      job.tookNs = 0;
    }

    void begin(Job job) {
      job.beganNs = nowNs;
      job.endsNs = nowNs + job.tookNs;
      running.add(job);
    }

    void runUntil(long untilNs) {
      for (Job job = running.peek(); job != null && job.endsNs <= untilNs; job = running.peek()) {
        nowNs = job.endsNs;
        running.remove();
        had.merge(job.owner, job.tookNs, Long::sum);
        assertThat(turns.end(job.piece, job.tookNs, job.tookNs > 0)).isTrue();
        Piece next = turns.poll();
        if (next != null) {
          next.go();
        }
      }
      nowNs = untilNs;
    }

    long tookNs(Owner owner) {
      return had.getOrDefault(owner, 0L);
    }
  }
}
