package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
        .hasMessage("b/weights needs 41 bytes on CPU, 40 of 100 are free; held: a/weights=60");
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

  @Test
  void shouldNameTheLargestHoldersFirstAndNotAll() {
    List<MemoryBudget.Reservation> held = new ArrayList<>();
    for (int i = 1; i <= 7; i++) {
      held.add(budget.reserve("m" + i, i));
    }
    assertThatThrownBy(() -> budget.reserve("x", 100))
        .hasMessageEndingWith("held: m7=7, m6=6, m5=5, m4=4, m3=3 and 2 others");
    held.forEach(MemoryBudget.Reservation::close);
  }

  @Test
  void shouldFollowWhatIsMeasured() {
    MemoryBudget.Reservation held = budget.reserve("a", 10);
    assertThat(held.tryResize(100)).isTrue();
    assertThat(budget.availableBytes()).isZero();
    assertThat(held.tryResize(101)).isFalse();
    assertThatThrownBy(() -> held.resize(130))
        .isInstanceOf(BudgetExceededException.class)
        .hasMessageContaining("a needs 30 bytes on CPU, 0 of 100 are free");
    assertThat(held.bytes()).isEqualTo(100);
    held.resize(5);
    assertThat(budget.holders()).containsExactly(Map.entry("a", 5L));
    held.close();
    assertThat(held.tryResize(7)).isFalse();
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldRefuseAPartBeyondItsOwnLimitAndBeyondTheWhole() {
    MemoryBudget part = budget.part("model 'a'", 30);
    MemoryBudget.Reservation inside = part.reserve("a/weights", 30);
    assertThat(budget.holders()).containsExactly(Map.entry("a/weights", 30L));
    assertThatThrownBy(() -> part.reserve("a/slabs", 1))
        .hasMessage(
            "a/slabs needs 1 bytes on model 'a' on CPU, 0 of 30 are free; held: a/weights=30");
    inside.close();

    assertThat(part.availableBytes()).isEqualTo(30);
    MemoryBudget.Reservation others = budget.reserve("b", 90);
    assertThat(part.availableBytes()).isEqualTo(10);
    assertThatThrownBy(() -> part.reserve("a/weights", 20))
        .hasMessage("a/weights needs 20 bytes on CPU, 10 of 100 are free; held: b=90");
    assertThat(part.reservedBytes()).isZero();
    others.close();
    assertThat(budget.reservedBytes()).isZero();
  }
}
