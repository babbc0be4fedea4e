package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.chaos.Answer.Outcome;
import dev.conveyor.verticles.chaos.Judge.Received;
import io.vertx.core.buffer.Buffer;
import org.junit.jupiter.api.Test;

final class JudgeTest {

  private static final float[] ROW = {1, 2};
  private static final Received AWAY = error(503, "Model 'm' is not ready: it crashed");
  private static final Received LOST = error(503, "its request, which may be sent again: SIGKILL");
  private static final Received POISON = error(500, "model 'm': chaos: poison in the batch");

  @Test
  void shouldTakeARefusalOnlyFromAModelThatMayBeAway() {
    for (Received refusal : new Received[] {AWAY, LOST}) {
      assertThat(sound(refusal, true).outcome()).isEqualTo(Outcome.REFUSED);
      assertThat(sound(refusal, false).outcome()).isEqualTo(Outcome.WRONG);
      assertThat(poisoned(refusal, true).outcome()).isEqualTo(Outcome.REFUSED);
      assertThat(poisoned(refusal, false).outcome()).isEqualTo(Outcome.WRONG);
    }
    assertThat(sound(AWAY, false).detail())
        .isEqualTo("m: HTTP 503: Model 'm' is not ready: it crashed");
  }

  @Test
  void shouldTakeNoOtherErrorForARefusal() {
    assertThat(sound(error(503, "out of memory"), true).outcome()).isEqualTo(Outcome.WRONG);
    assertThat(sound(error(500, "may be sent again"), true).outcome()).isEqualTo(Outcome.WRONG);
  }

  @Test
  void shouldDemandThatThePoisonedIsToldSoAndNobodyElse() {
    assertThat(poisoned(POISON, false).outcome()).isEqualTo(Outcome.OWN_ERROR);
    assertThat(poisoned(error(500, "something else"), true).outcome()).isEqualTo(Outcome.WRONG);
    assertThat(poisoned(outputs(1, 2), true).outcome()).isEqualTo(Outcome.WRONG);
    assertThat(sound(POISON, true).outcome()).isEqualTo(Outcome.WRONG);
  }

  @Test
  void shouldDemandTheOutputsOfTheRequest() {
    assertThat(sound(outputs(1, 2), false).outcome()).isEqualTo(Outcome.RIGHT);
    assertThat(sound(outputs(1, 3), true).outcome()).isEqualTo(Outcome.WRONG);
    assertThat(sound(outputs(1), true).outcome()).isEqualTo(Outcome.WRONG);
    assertThat(Judge.sound("m", ROW, null, new IllegalStateException("gone"), true).outcome())
        .isEqualTo(Outcome.LOST);
  }

  private static Answer sound(Received response, boolean away) {
    return Judge.sound("m", ROW, response, null, away);
  }

  private static Answer poisoned(Received response, boolean away) {
    return Judge.poisoned("m", "poison", response, null, away);
  }

  private static Received error(int status, String text) {
    return new Received(status, null, Buffer.buffer(text));
  }

  private static Received outputs(float... values) {
    Buffer body = Buffer.buffer("{}");
    for (float value : values) {
      body.appendFloatLE(value);
    }
    return new Received(200, "2", body);
  }
}
