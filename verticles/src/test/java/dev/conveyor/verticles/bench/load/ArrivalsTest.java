package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;

class ArrivalsTest {

  private static final long T0 = Long.MAX_VALUE - 1_000; // survives overflow of nanoTime

  @Test
  void shouldBeDueFromItsTimeOnAndNotBefore() {
    Arrivals arrivals = Arrivals.poisson(1_000, T0, 1);
    long due = arrivals.nextNs();

    assertThat(due - T0).isPositive();
    assertThat(arrivals.delayNs(due - 1)).isEqualTo(1);
    assertThat(arrivals.delayNs(due)).isZero();
    assertThat(arrivals.delayNs(due + 5)).isEqualTo(-5);
  }

  @Test
  void shouldKeepToTheTimetableWhenTheSenderIsLate() {
    Arrivals prompt = Arrivals.poisson(1_000, 0, 7);
    Arrivals late = Arrivals.poisson(1_000, 0, 7);
    long[] onTime = new long[100];
    for (int i = 0; i < onTime.length; i++) {
      onTime[i] = prompt.take();
    }

    long stalledUntilNs = 50_000_000;
    int taken = 0;
    while (late.delayNs(stalledUntilNs) <= 0) {
      assertThat(late.take()).isEqualTo(onTime[taken++]);
    }

    assertThat(taken).isBetween(20, 90);
    assertThat(onTime[taken]).isGreaterThan(stalledUntilNs);
  }

  @Test
  void shouldHaveExponentialGaps() {
    Arrivals arrivals = Arrivals.poisson(10_000, 0, 3);
    int n = 200_000;
    int aboveMean = 0;
    long before = 0;
    for (int i = 0; i < n; i++) {
      long due = arrivals.take();
      if (due - before > 100_000) {
        aboveMean++;
      }
      before = due;
    }

    assertThat(before / (double) n).isCloseTo(100_000, within(1_000.0));
    assertThat(aboveMean / (double) n).isCloseTo(Math.exp(-1), within(0.005));
  }

  @Property(tries = 200)
  void shouldNeverGoBackwards(
      @ForAll @DoubleRange(min = 0.01, max = 1e7) double rate, @ForAll long startNs) {
    Arrivals arrivals = Arrivals.poisson(rate, startNs, 5);
    long before = startNs;
    for (int i = 0; i < 50; i++) {
      long next = arrivals.nextNs();
      assertThat(arrivals.take()).isEqualTo(next);
      assertThat(next - before).isNotNegative();
      before = next;
    }
  }
}
