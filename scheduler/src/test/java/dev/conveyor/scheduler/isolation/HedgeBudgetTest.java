package dev.conveyor.scheduler.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

final class HedgeBudgetTest {

  @Test
  void shouldAllowOneInTwentyAndNothingBefore() {
    HedgeBudget budget = new HedgeBudget(0.0625, 1);
    budget.onRun(15);
    assertThat(budget.tryTake(1)).isFalse();
    budget.onRun(1);
    assertThat(budget.tryTake(1)).isTrue();
    assertThat(budget.tryTake(1)).isFalse();
  }

  @Test
  void shouldTakeABatchAsAWhole() {
    HedgeBudget budget = new HedgeBudget(0.5, 1);
    budget.onRun(6);
    assertThat(budget.tryTake(4)).isFalse();
    assertThat(budget.tryTake(3)).isTrue();
  }

  @Test
  void shouldKeepNoMoreThanTheLargestBatchNeeds() {
    HedgeBudget small = new HedgeBudget(1, 1);
    small.onRun(1000);
    assertThat(small.tryTake(11)).isFalse();
    assertThat(small.tryTake(10)).isTrue();
    HedgeBudget large = new HedgeBudget(1, 32);
    large.onRun(1000);
    assertThat(large.tryTake(33)).isFalse();
    assertThat(large.tryTake(32)).isTrue();
  }

  @Property
  void shouldNeverAllowMoreThanItsPartOfWhatRan(
      @ForAll @Size(max = 200) List<@IntRange(min = -8, max = 32) Integer> steps) {
    HedgeBudget budget = new HedgeBudget(0.05, 8);
    int ran = 0;
    int twice = 0;
    for (int step : steps) {
      if (step > 0) {
        budget.onRun(step);
        ran += step;
      } else if (step < 0 && budget.tryTake(-step)) {
        twice -= step;
      }
      assertThat(twice).isLessThanOrEqualTo((int) Math.floor(0.05 * ran + 1e-9));
    }
  }
}
