package dev.conveyor.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.scheduler.CoreBudget.Entry;
import dev.conveyor.scheduler.CoreBudget.Work;
import dev.conveyor.scheduler.fairness.FairTurns.Owner;
import dev.conveyor.scheduler.fairness.FairTurns.Piece;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class CoreBudgetTest {

  private static final int MANY = 1000;

  private Owner images = new Owner(1, MANY);
  private Owner steps = new Owner(1, MANY);
  private final List<String> begun = new ArrayList<>();
  private final Deque<Runnable> running = new ArrayDeque<>();

  @Test
  void shouldLeaveTheCoresToBatchesButForOne() {
    CoreBudget budget = new CoreBudget(4);
    budget.computing(3);
    enter(budget, Work.DECODE, "a");
    enter(budget, Work.DECODE, "b");
    enter(budget, Work.DECODE, "c");
    assertThat(begun).containsExactly("a");

    budget.computing(2);
    assertThat(begun).containsExactly("a", "b");

    budget.computing(4);
    end();
    assertThat(begun).as("two may not run beside four").containsExactly("a", "b");
    end();
    assertThat(begun).as("one always may").containsExactly("a", "b", "c");
    assertThat(budget.waiting()).isZero();
  }

  @Test
  void shouldLetKindsTakeTurnsAndKeepTheOrderOfEach() {
    CoreBudget budget = new CoreBudget(1);
    enter(budget, Work.DECODE, "first");
    for (String name : List.of("d1", "d2", "d3")) {
      enter(budget, Work.DECODE, name);
    }
    enter(budget, Work.STEP, "s1");
    enter(budget, Work.STEP, "s2");
    for (int i = 0; i < 5; i++) {
      end();
    }

    assertThat(begun).containsExactly("first", "d1", "s1", "d2", "s2", "d3");
  }

  @Test
  void shouldRefuseAMachineWithoutCores() {
    assertThatThrownBy(() -> new CoreBudget(0)).hasMessage("cores must be >= 1, was 0");
  }

  @Property
  void shouldNeverBeginMoreThanMayRunNorForgetAny(
      @ForAll @IntRange(min = 1, max = 8) int cores,
      @ForAll @Size(max = 200) List<@IntRange(min = 0, max = 12) Integer> events) {
    CoreBudget budget = new CoreBudget(cores);
    int computing = 0;
    int asked = 0;
    int left = 0;
    for (int event : events) {
      int before = begun.size() - left;
      if (event <= 8) {
        computing = event;
        budget.computing(computing);
      } else if (event < 11 || before == 0) {
        enter(budget, event % 2 == 0 ? Work.DECODE : Work.STEP, "w" + asked++);
      } else {
        left++;
        before--;
        end();
      }
      int allowed = Math.max(1, cores - computing);
      int running = begun.size() - left;
      assertThat(running).isLessThanOrEqualTo(Math.max(before, allowed));
      assertThat(budget.waiting()).isEqualTo(asked - begun.size());
      assertThat(running < allowed && budget.waiting() > 0).as("idle cores").isFalse();
    }
    begun.clear();
    running.clear();
    images = new Owner(1, MANY);
    steps = new Owner(1, MANY);
  }

  @Test
  void shouldRefuseOneModelWhatIsTooMuchAndStillTakeWhatIsOfAnother() {
    CoreBudget budget = new CoreBudget(1);
    Owner photos = new Owner(1, 2);
    Piece first = new Piece(photos, () -> begun.add("first"));
    assertThat(budget.enter(Work.DECODE, first)).isEqualTo(Entry.RUNS);
    assertThat(budget.enter(Work.DECODE, new Piece(photos, () -> begun.add("second"))))
        .isEqualTo(Entry.WAITS);
    assertThat(budget.enter(Work.DECODE, new Piece(photos, () -> begun.add("third"))))
        .isEqualTo(Entry.FULL);
    assertThat(budget.enter(Work.DECODE, new Piece(images, () -> begun.add("other"))))
        .isEqualTo(Entry.WAITS);
    assertThat(budget.backlog(Work.DECODE, photos).pieces()).isEqualTo(2);

    budget.leave(Work.DECODE, first, 1, true);
    budget.leave(Work.DECODE, first, 1, true);
    assertThat(begun).as("it leaves once").hasSize(1);
  }

  /** Threads share the cores evenly, as an operating system has it; time moves by hand. */
  @Test
  void shouldKeepTheSpeedOfWhatComputesUnderAFloodOfImages() {
    assertThat(new Machine(2, 1, new CoreBudget(2)).run()).isEqualTo(1.0);
    assertThat(new Machine(2, 1, null).run()).isCloseTo(0.66, within(0.02));
    assertThat(new Machine(8, 4, new CoreBudget(8)).run()).isEqualTo(1.0);
    assertThat(new Machine(8, 4, null).run()).isLessThan(0.7);
    // All cores compute: one image is decoded all the same, and costs a thread's share.
    assertThat(new Machine(8, 8, new CoreBudget(8)).run()).isGreaterThanOrEqualTo(8.0 / 9 - 0.01);
  }

  @Test
  void shouldDecodeAllTheTimeWhateverComputes() {
    Machine full = new Machine(2, 2, new CoreBudget(2));
    double unused = full.run();
    assertThat(full.decoded).isPositive();
  }

  private void enter(CoreBudget budget, Work kind, String name) {
    Piece[] piece = new Piece[1];
    Runnable begin =
        () -> {
          begun.add(name);
          running.add(() -> budget.leave(kind, piece[0], 1, true));
        };
    piece[0] = new Piece(kind == Work.DECODE ? images : steps, begin);
    if (budget.enter(kind, piece[0]) == Entry.RUNS) {
      begin.run();
    }
  }

  /** What has begun first is over. */
  private void end() {
    running.remove().run();
  }

  /** Computes without a pause on some threads, and has images without end on as many as it may. */
  private static final class Machine {

    private static final int STEPS = 50_000;
    private static final double DECODE_STEPS = 30;

    private final int cores;
    private final int threads;
    private final @Nullable CoreBudget budget;
    private final Owner images = new Owner(1, MANY);
    private final List<Image> decoding = new ArrayList<>();
    private int decoded;

    /** One that is decoded; {@code over} is called then. */
    private static final class Image {
      private double left = DECODE_STEPS;
      private final Runnable over;

      Image(Runnable over) {
        this.over = over;
      }
    }

    Machine(int cores, int threads, @Nullable CoreBudget budget) {
      this.cores = cores;
      this.threads = threads;
      this.budget = budget;
    }

    /** Returns the speed of a computing thread as part of what it has alone. */
    double run() {
      double computed = 0;
      if (budget == null) {
        for (int i = 0; i < cores; i++) {
          decoding.add(new Image(() -> {}));
        }
      } else {
        budget.computing(threads);
        for (int i = 0; i < 4 * cores; i++) {
          ask(budget);
        }
      }
      for (int step = 0; step < STEPS; step++) {
        double speed = Math.min(1, (double) cores / (threads + decoding.size()));
        computed += speed;
        for (int i = decoding.size() - 1; i >= 0; i--) {
          Image image = decoding.get(i);
          image.left -= speed;
          if (image.left > 0) {
            continue;
          }
          if (budget == null) {
            image.left = DECODE_STEPS;
          } else {
            decoding.remove(i);
            decoded++;
            ask(budget);
            image.over.run();
          }
        }
      }
      return computed / STEPS;
    }

    private void ask(CoreBudget open) {
      Piece[] piece = new Piece[1];
      Image image = new Image(() -> open.leave(Work.DECODE, piece[0], 1, true));
      piece[0] = new Piece(images, () -> decoding.add(image));
      if (open.enter(Work.DECODE, piece[0]) == Entry.RUNS) {
        decoding.add(image);
      }
    }
  }
}
