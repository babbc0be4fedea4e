package dev.conveyor.scheduler.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.isolation.Bisection.Part;
import dev.conveyor.scheduler.isolation.Bisection.Result;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

final class BisectionTest {

  /** What became of every request of a batch. */
  private static final class Outcome {
    final List<Integer> answered = new ArrayList<>();
    final List<Integer> blamed = new ArrayList<>();
    final List<Integer> starved = new ArrayList<>();
    final List<Integer> undecided = new ArrayList<>();
    int extraRuns;
    int largestRun;

    List<Integer> all() {
      return java.util.stream.Stream.of(answered, blamed, starved, undecided)
          .flatMap(List::stream)
          .sorted()
          .toList();
    }
  }

  private static Outcome isolate(int requests, Function<Part, Result> model) {
    Outcome outcome = new Outcome();
    Part part = new Part(0, requests);
    Result result = model.apply(part);
    settle(outcome, part, result);
    Bisection bisection = new Bisection(requests, result);
    for (part = bisection.next(); part != null; part = bisection.next()) {
      outcome.extraRuns++;
      outcome.largestRun = Math.max(outcome.largestRun, part.size());
      result = model.apply(part);
      settle(outcome, part, result);
      bisection.record(result);
    }
    bisection.undecided().forEach(rest -> add(outcome.undecided, rest));
    return outcome;
  }

  private static void settle(Outcome outcome, Part part, Result result) {
    if (result == Result.SUCCEEDED) {
      add(outcome.answered, part);
    } else if (part.size() == 1) {
      add(result == Result.INPUT_FAILED ? outcome.blamed : outcome.starved, part);
    }
  }

  private static void add(List<Integer> to, Part part) {
    IntStream.range(part.from(), part.to()).forEach(to::add);
  }

  private static Function<Part, Result> failingFor(Set<Integer> culprits) {
    return part ->
        culprits.stream().anyMatch(c -> part.from() <= c && c < part.to())
            ? Result.INPUT_FAILED
            : Result.SUCCEEDED;
  }

  @Property
  void shouldAnswerEveryoneButTheOneCulpritWithinTheBound(
      @ForAll @IntRange(min = 1, max = 300) int requests,
      @ForAll @IntRange(min = 0, max = 299) int at) {
    int culprit = at % requests;
    Outcome outcome = isolate(requests, failingFor(Set.of(culprit)));
    assertThat(outcome.blamed).containsExactly(culprit);
    assertThat(outcome.answered).hasSize(requests - 1).doesNotContain(culprit);
    assertThat(outcome.extraRuns)
        .isLessThanOrEqualTo(2 * (int) Math.ceil(Math.log(requests) / Math.log(2) - 1e-9));
  }

  @Property
  void shouldSettleEveryRequestOnceWithinTheBoundWhoeverIsToBlame(
      @ForAll @IntRange(min = 1, max = 100) int requests,
      @ForAll @Size(max = 100) Set<@IntRange(min = 0, max = 99) Integer> guilty) {
    Set<Integer> culprits = new TreeSet<>(guilty);
    culprits.removeIf(c -> c >= requests);
    Outcome outcome = isolate(requests, failingFor(culprits));
    assertThat(outcome.all())
        .containsExactlyElementsOf(IntStream.range(0, requests).boxed().toList());
    assertThat(outcome.answered).noneMatch(culprits::contains);
    assertThat(culprits).containsAll(outcome.blamed);
    assertThat(outcome.extraRuns).isLessThanOrEqualTo(Bisection.maxExtraRuns(requests));
  }

  @Property
  void shouldBlameNobodyWhenMemoryIsShort(
      @ForAll @IntRange(min = 1, max = 200) int requests,
      @ForAll @IntRange(min = 1, max = 200) int room) {
    Outcome outcome =
        isolate(requests, part -> part.size() > room ? Result.RESOURCE_FAILED : Result.SUCCEEDED);
    assertThat(outcome.answered).hasSize(requests);
    assertThat(new HashSet<>(outcome.answered)).hasSize(requests);
  }

  @Property
  void shouldSettleEveryRequestOnceWhateverHappens(
      @ForAll @IntRange(min = 1, max = 64) int requests, @ForAll List<Result> results) {
    int[] run = {0};
    Outcome outcome =
        isolate(
            requests, part -> run[0] < results.size() ? results.get(run[0]++) : Result.SUCCEEDED);
    assertThat(outcome.all())
        .containsExactlyElementsOf(IntStream.range(0, requests).boxed().toList());
  }

  @Test
  void shouldNotBlameARequestThatSucceedsWhenItRunsAlone() {
    boolean[] failed = {false};
    Outcome outcome =
        isolate(
            32,
            part -> {
              boolean first = !failed[0];
              failed[0] = true;
              return first ? Result.INPUT_FAILED : Result.SUCCEEDED;
            });
    assertThat(outcome.answered).hasSize(32);
    assertThat(outcome.blamed).isEmpty();
  }

  @Test
  void shouldFailASingleRequestThatHasNoMemoryOfItsOwn() {
    Outcome outcome = isolate(4, part -> Result.RESOURCE_FAILED);
    assertThat(outcome.starved).containsExactlyInAnyOrder(0, 1, 2, 3);
    assertThat(outcome.blamed).isEmpty();
  }
}
