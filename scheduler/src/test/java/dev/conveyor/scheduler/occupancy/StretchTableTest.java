package dev.conveyor.scheduler.occupancy;

import static org.assertj.core.api.Assertions.assertThat;

import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

final class StretchTableTest {

  private static final long MS = 1_000_000;
  private static final long HALF_A_MINUTE = 30_000 * MS;

  private final StretchTable table = new StretchTable(8);
  private long now = Long.MAX_VALUE - 500 * MS;

  @Test
  void shouldKeepApartWhoDoesLessSideBySideThanOneAfterTheOther() {
    meet("a", "b", 1.9, 8);
    meet("b", "a", 2.4, 8); // 0.943 times the work of one
    meet("a", "c", 1.9, 8);
    meet("c", "a", 2.2, 8); // 0.981

    assertThat(table.areBetterApart("a", "b", now)).isTrue();
    assertThat(table.areBetterApart("b", "a", now)).isTrue();
    assertThat(table.areBetterApart("a", "c", now)).isFalse();
    assertThat(table.areBetterApart("b", "c", now)).as("not known").isFalse();
  }

  @Test
  void shouldKnowAPairFromEightRunsOfBothAndForHalfAMinute() {
    meet("a", "b", 3, 8);
    meet("b", "a", 3, 7);
    assertThat(table.areBetterApart("a", "b", now)).isFalse();
    meet("b", "a", 3, 1);
    assertThat(table.areBetterApart("a", "b", now)).isTrue();
    now += HALF_A_MINUTE;
    assertThat(table.areBetterApart("a", "b", now)).isTrue();
    now += 1;
    assertThat(table.areBetterApart("a", "b", now)).isFalse();
  }

  @Test
  void shouldNotCountThoseForTheNumberAtOnceWhoAreKeptApart() {
    meet("a", "a", 1.1, 20);
    meet("a", "b", 3, 8);
    meet("b", "a", 3, 8);
    double before = table.stretch(2);
    meet("a", "b", 3, 30);
    assertThat(table.stretch(2)).isEqualTo(before);
    meet("a", "a", 1.1, 200);
    assertThat(table.stretch(2)).isCloseTo(1.1, Percentage.withPercentage(1));
  }

  private void meet(String model, String beside, double stretch, int runs) {
    for (int i = 0; i < runs; i++) {
      table.record(model, beside, 2, (long) (10 * MS * stretch), 10 * MS, now);
    }
  }
}
