package dev.conveyor.verticles.feed;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StreamTallyTest {

  private final StreamTally tally = new StreamTally();

  @Test
  void shouldGiveEveryFrameOneOutcome() {
    for (int i = 0; i < 5; i++) {
      assertThat(tally.send(1000L * i)).isEqualTo(i);
    }
    tally.skip();
    tally.answer(0, 1500);
    tally.drop(1);
    tally.fail(2, "bad");
    tally.fail(3, "worse");

    FeedResult result = result();
    assertThat(result.sent()).isEqualTo(5);
    assertThat(result.skipped()).isEqualTo(1);
    assertThat(result.answered()).isEqualTo(1);
    assertThat(result.dropped()).isEqualTo(1);
    assertThat(result.failed()).isEqualTo(2);
    assertThat(result.unanswered()).isEqualTo(1);
    assertThat(result.firstFailure()).isEqualTo("bad");
    assertThat(result.addsUp()).as("one is unanswered").isFalse();
    tally.answer(4, 9000);
    assertThat(result().addsUp()).isTrue();
  }

  @Test
  void shouldCountAnswersThatComeAfterThatOfALaterFrame() {
    for (int i = 0; i < 4; i++) {
      tally.send(0);
    }
    tally.answer(0, 1);
    tally.answer(2, 2);
    assertThat(result().orderViolations()).isZero();
    tally.answer(1, 3);
    assertThat(result().orderViolations()).isEqualTo(1);
    tally.answer(3, 4);
    assertThat(result().orderViolations()).as("later than all before").isEqualTo(1);
  }

  @Test
  void shouldCountSecondAnswersAndThoseToNoFrameAsStrays() {
    tally.send(0);
    tally.answer(0, 1);
    tally.answer(0, 2);
    tally.drop(0);
    tally.answer(1, 3);

    assertThat(result().strays()).isEqualTo(3);
    assertThat(result().answered()).isEqualTo(1);
    assertThat(result().addsUp()).isFalse();
  }

  @Test
  void shouldMeasureFromWhenAFrameWasDue() {
    tally.send(Long.MAX_VALUE - 100);
    tally.answer(0, Long.MIN_VALUE + 899); // the clock ran over

    assertThat(result().latencyNs().getMaxValue()).isEqualTo(1000);
  }

  private FeedResult result() {
    FeedResult.Builder all = new FeedResult.Builder();
    tally.addTo(all);
    return all.build(1);
  }
}
