package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.json.JsonObject;
import org.junit.jupiter.api.Test;

final class FaultTest {

  @Test
  void shouldFindAChildThatTakesMemoryOnlyByWhatItHolds() {
    assertThat(isDetected(Fault.CHILD_MEMORY, "instance_quarantined", "over_memory")).isTrue();
    assertThat(isDetected(Fault.CHILD_MEMORY, "instance_quarantined", "hung")).isFalse();
    assertThat(isDetected(Fault.CHILD_MEMORY, "execution_cut", "over_memory")).isFalse();
  }

  @Test
  void shouldFindOtherFaultsOfChildrenByTheLossOfTheInstance() {
    assertThat(isDetected(Fault.SIGKILL, "instance_quarantined", "signalled")).isTrue();
    assertThat(isDetected(Fault.SIGKILL, "request_retried", "instance_lost")).isFalse();
  }

  @Test
  void shouldFindAHangWhenItIsCut() {
    assertThat(isDetected(Fault.HANG, "execution_cut", "hung")).isTrue();
    assertThat(isDetected(Fault.HANG, "instance_quarantined", "hung")).isFalse();
  }

  @Test
  void shouldNotTakeTheEventOfAnotherModelForADecision() {
    assertThat(Fault.POISON.isDetectedBy(event("batch_split", "execution_failed"), "other"))
        .isFalse();
    assertThat(isDetected(Fault.POISON, "batch_split", "execution_failed")).isTrue();
    assertThat(isDetected(Fault.POISON, "room_lent", "slow")).isFalse();
    assertThat(Fault.POISON.isDetectedBy(new JsonObject().put("event", "model_ready"), "m"))
        .isFalse();
  }

  private static boolean isDetected(Fault fault, String decision, String reason) {
    return fault.isDetectedBy(event(decision, reason), "m");
  }

  private static JsonObject event(String decision, String reason) {
    return new JsonObject()
        .put("event", "isolation")
        .put("model", "m")
        .put("decision", decision)
        .put("reason", reason);
  }
}
