package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class MemoryBudgetTest {

  private final MemoryBudget budget = new MemoryBudget("CPU", 100);

  @Test
  void shouldReserveUpToTheLastByteAndNotBeyond() {
    MemoryBudget.Reservation all = budget.tryReserve("a/weights", 100).orElseThrow();
    assertThat(budget.tryReserve("b/weights", 1)).isEmpty();
    assertThat(budget.tryReserve("b/weights", 0)).isPresent();

    all.close();
    all.close();
    assertThat(budget.availableBytes()).isEqualTo(100);
  }

  @Test
  void shouldSayWhoHoldsWhatWhenItRefuses() {
    MemoryBudget.Reservation held = budget.reserve("a/weights", 60);
    assertThatThrownBy(() -> budget.reserve("b/weights", 41))
        .isInstanceOf(BudgetExceededException.class)
        .hasMessage("b/weights needs 41 bytes on CPU, 40 of 100 are free; held: {a/weights=60}");
    held.close();
    assertThat(budget.holders()).isEmpty();
  }

  @Test
  void shouldNotOverflowWhenAskedForAlmostEverything() {
    MemoryBudget.Reservation held = budget.reserve("a", 1);
    assertThat(budget.tryReserve("b", Long.MAX_VALUE)).isEmpty();
    held.close();
  }

  @Test
  void shouldAddUpReservationsOfOneOwner() {
    MemoryBudget.Reservation one = budget.reserve("a", 10);
    MemoryBudget.Reservation two = budget.reserve("a", 15);
    assertThat(budget.holders()).containsEntry("a", 25L);
    one.close();
    assertThat(budget.holders()).containsEntry("a", 15L);
    two.close();
    assertThat(budget.reservedBytes()).isZero();
  }
}
