package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class WorkspaceTest {

  private final MemoryBudget budget = new MemoryBudget("CPU", 100);
  private final AtomicLong arena = new AtomicLong(30);
  private final Workspace workspace = new Workspace("m/1", budget, arena::get);

  @Test
  void shouldHoldWhatTheArenaGrewByAndNoMore() {
    assertThat(budget.reservedBytes()).isZero();
    arena.set(50);
    workspace.measure();
    assertThat(budget.holders()).containsExactly(Map.entry("m/1/workspace", 20L));
    arena.set(10);
    workspace.measure();
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldGiveBackAfterEveryRunOnceItDoesNotFit() {
    arena.set(130);
    workspace.measure();
    assertThat(workspace.bytes()).isEqualTo(100);
    assertThat(workspace.shrinks()).isFalse();
    arena.set(131);
    workspace.measure();
    assertThat(workspace.bytes()).isEqualTo(100);
    assertThat(workspace.shrinks()).isTrue();
  }

  @Test
  void shouldHoldNothingAfterItWasClosed() {
    arena.set(50);
    workspace.measure();
    workspace.close();
    arena.set(90);
    workspace.measure();
    assertThat(budget.reservedBytes()).isZero();
  }
}
