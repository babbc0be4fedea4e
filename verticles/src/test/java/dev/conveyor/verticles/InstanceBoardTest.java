package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.InstanceBoard.Line;
import dev.conveyor.verticles.InstanceBoard.State;
import org.junit.jupiter.api.Test;

final class InstanceBoardTest {

  private final InstanceBoard board = new InstanceBoard();

  @Test
  void shouldNotBeReadyWhileWhatTakesThePlaceOfAHungInstanceIsNotThere() {
    put(0, State.READY, "");
    put(0, State.HUNG, "hangs");
    assertThat(board.isReady()).isFalse();

    board.cameBack(0);

    assertThat(board.isReady()).isFalse();
    assertThat(board.reason()).isEqualTo("hangs");
    put(1, State.READY, "");
    assertThat(board.isReady()).isTrue();
    assertThat(board.lines()).extracting(Line::index).containsExactly(1);
  }

  @Test
  void shouldSayOfASlotWhatIsKnownOfItsLatestInstance() {
    put(0, State.HUNG, "hangs");
    put(1, State.QUARANTINED, "is sick");

    board.cameBack(0);

    assertThat(board.isReady()).isFalse();
    assertThat(board.reason()).isEqualTo("is sick");
    assertThat(board.lines()).hasSize(1);
  }

  @Test
  void shouldForgetAHungInstanceThatIsReplacedAlready() {
    put(0, State.HUNG, "hangs");
    put(1, State.READY, "");

    board.cameBack(0);

    assertThat(board.isReady()).isTrue();
    assertThat(board.lines()).extracting(Line::index).containsExactly(1);
  }

  private void put(int index, State state, String reason) {
    board.put(new Line(index, 0, "CPU", state, 0, reason));
  }
}
