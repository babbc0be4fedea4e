package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.process.wire.ProtocolException;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class WorkerLedgerTest {

  private final MemoryBudget budget = new MemoryBudget("GPU0", 100);
  private final WorkerLedger ledger = new WorkerLedger(budget, "m/1");

  @Test
  void shouldReserveWhatAWorkerSaysByKindAndGiveItAllBack() throws ProtocolException {
    ledger.report(Map.of("m/1/weights", 40L, "m/1/slabs", 10L, "GPU0/between steps", 5L, "x", 1L));

    assertThat(budget.holders())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of("m/1/weights", 40L, "m/1/slabs", 10L, "m/1/worker", 6L));
    assertThat(ledger.bytes()).isEqualTo(56);
    ledger.report(Map.of("m/1/weights", 41L));
    assertThat(budget.holders()).containsExactlyEntriesOf(Map.of("m/1/weights", 41L));
    ledger.close();
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldCountWhatItTookSinceAsWorkspace() throws ProtocolException {
    ledger.report(Map.of("m/1/weights", 40L));

    ledger.report(60);
    assertThat(budget.holders())
        .containsExactlyInAnyOrderEntriesOf(Map.of("m/1/weights", 40L, "m/1/workspace", 20L));
    ledger.report(45);
    assertThat(budget.holders())
        .containsExactlyInAnyOrderEntriesOf(Map.of("m/1/weights", 40L, "m/1/workspace", 5L));
    ledger.report(1);
    assertThat(budget.reservedBytes()).as("the weights stay").isEqualTo(40);
  }

  @Test
  void shouldRefuseWhatTheLedgerHasNoRoomForAndKeepWhatWasThere() throws ProtocolException {
    ledger.report(Map.of("m/1/weights", 40L));
    MemoryBudget.Reservation other = budget.reserve("n/1/weights", 50);

    assertThatThrownBy(() -> ledger.report(60)).isInstanceOf(BudgetExceededException.class);

    assertThat(budget.reservedBytes()).isEqualTo(90);
    other.close();
    ledger.close();
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldNotBelieveWhatCannotBe() {
    assertThatThrownBy(() -> ledger.report(101)).isInstanceOf(ProtocolException.class);
    assertThatThrownBy(() -> ledger.report(-1)).isInstanceOf(ProtocolException.class);
    assertThatThrownBy(() -> ledger.report(Map.of("m/1/slabs", 101L)))
        .isInstanceOf(ProtocolException.class);
    assertThat(budget.reservedBytes()).isZero();
  }
}
