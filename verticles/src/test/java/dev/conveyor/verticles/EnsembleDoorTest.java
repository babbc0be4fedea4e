package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.steps.Steps;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.scheduler.admission.PriorityLevels;
import dev.conveyor.scheduler.admission.PriorityLevels.Waiting;
import dev.conveyor.verticles.ensemble.TestEnsembles;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Who may come into an ensemble by what is known of its models before the body. Its steps are the
 * models a and b, one after the other; a run takes 10 ms, at time zero.
 */
final class EnsembleDoorTest {

  private static final long MS = 1_000_000;
  private static final long NONE = InferenceRequest.NO_DEADLINE;
  private static final String PLAIN = "{}";

  private final Map<String, ServedModel> members = new HashMap<>();
  private final List<String> asked = new ArrayList<>();
  private final FrontDoor door =
      new FrontDoor(
          Tenants.DEFAULT,
          () -> 0,
          (name, deadlineNs, left) -> {
            asked.add(name);
            return Future.succeededFuture();
          });

  EnsembleDoorTest() {
    members.put("a", member("a"));
    members.put("b", member("b"));
  }

  @Test
  void shouldAddTheRunsOfItsStepsToTheLongestWait() {
    ServedModel ensemble = ensemble(PLAIN);
    busy("a", 1);
    busy("b", 4);

    // 10 ms for another's, 10 for a; b is free after 40.
    enter(ensemble, 50 * MS);
    InferenceException late = refusal(ensemble, terms(50 * MS - 1));
    assertThat(late.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(late.retryAfterNs()).isEqualTo(1);
    assertThat(late)
        .hasMessage(
            "ensemble 'e' would answer after 50.0 ms at the earliest, 0.0 ms too late:"
                + " 30.0 ms for step 1 (model 'b')");
    assertThat(ensemble.stats().refusals()).containsEntry(RefusalReason.DEADLINE, 1L);
    assertThat(model("b").stats().refusals()).containsEntry(RefusalReason.DEADLINE, 0L);

    busy("b", 0);
    enter(ensemble, 30 * MS);
    assertThat(reason(ensemble, 30 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
  }

  @Test
  void shouldKeepToItsObjectiveAndToTheTimeoutOfTheRequest() {
    ServedModel promised = ensemble("{'latency_objective_microseconds': 50000}");
    busy("b", 4);
    enter(promised, NONE);
    busy("b", 5);
    assertThat(reason(promised, NONE)).isEqualTo(RefusalReason.DEADLINE);

    ServedModel plain = ensemble(PLAIN);
    door.enter(plain, new DoorTerms("", 0, NONE, 0, 60_000));
    assertThat(refusal(plain, new DoorTerms("", 0, NONE, 0, 59_999)).reason())
        .isEqualTo(RefusalReason.DEADLINE);
  }

  @Test
  void shouldAskTheModelThatComesFirstAsItsOwnDoorIsAsked() {
    ServedModel ensemble = ensemble(PLAIN);
    full("a");
    InferenceException full = refusal(ensemble, terms(NONE));
    assertThat(full.reason()).isEqualTo(RefusalReason.QUEUE_FULL);
    assertThat(full).hasMessageStartingWith("ensemble 'e': step 0 (model 'a'): Request for");

    idle("a");
    full("b");
    enter(ensemble, NONE); // until it gets there, there may be room
  }

  @Test
  void shouldTakeIdleModelsAndStepsThatMayBeSkippedForNothing() {
    ServedModel conditional = ensemble("{'ensemble_step': [{'step': 1, 'when': 'x'}]}");
    busy("a", 0);
    busy("b", 100);
    enter(conditional, 10 * MS);
    assertThat(reason(conditional, 10 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);

    idle("a");
    enter(conditional, 1);
    ServedModel ensemble = ensemble(PLAIN);
    idle("b");
    enter(ensemble, 1);
  }

  @Test
  void shouldSeeWhatTheLevelOfTheRequestFinds() {
    ServedModel ensemble = ensemble(PLAIN);
    Waiting high = new Waiting(0, 0, 0, false, false);
    Waiting low = new Waiting(9, 9, 0, false, false);
    load("b", 9, 0, false, new PriorityLevels(2, List.of(high, low)));

    door.enter(ensemble, new DoorTerms("", 0, 20 * MS, 1, 0));
    door.enter(ensemble, new DoorTerms("", 0, 20 * MS)); // over HTTP nobody knows it yet
    assertThat(refusal(ensemble, new DoorTerms("", 0, 20 * MS, 2, 0)).reason())
        .isEqualTo(RefusalReason.DEADLINE);
  }

  @Test
  void shouldCountNothingThatWaitsForAModelThatTakesTheEarliestDeadlineFirst() {
    ServedModel ensemble = ensemble(PLAIN);
    load("b", 9, 500 * MS, false, PriorityLevels.NONE);
    enter(ensemble, 10 * MS);
    assertThat(reason(ensemble, 10 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
  }

  @Test
  void shouldLookIntoAnEnsembleThatIsAStep() {
    ServedModel inner = ensemble(PLAIN);
    members.put("inner", inner);
    ServedModel outer = ensemble("a", "inner", PLAIN);
    busy("a", 0);
    busy("b", 0);

    // The outer one runs a, the inner one a and b.
    enter(outer, 30 * MS);
    assertThat(refusal(outer, terms(30 * MS - 1)))
        .hasMessageEndingWith("20.0 ms for step 1 (model 'inner')");
    members.remove("inner");
    enter(outer, 10 * MS);
  }

  @Test
  void shouldHaveItsModelsLoadedIfThatTakesTooLong() {
    ServedModel ensemble = ensemble(PLAIN);
    cold("a", ModelDoor.ColdStart.in(30 * MS));
    cold("b", ModelDoor.ColdStart.in(20 * MS));
    enter(ensemble, 50 * MS);
    enter(ensemble, NONE);
    assertThat(asked).isEmpty();
    InferenceException late = refusal(ensemble, terms(50 * MS - 1));
    assertThat(late.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(late.retryAfterNs()).isEqualTo(50 * MS);
    assertThat(asked).containsExactly("a", "b");

    cold("a", ModelDoor.ColdStart.at(30 * MS));
    cold("b", ModelDoor.ColdStart.at(45 * MS));
    enter(ensemble, 45 * MS);
    assertThat(reason(ensemble, 45 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
  }

  @Test
  void shouldNotHaveModelsLoadedForWhatIsLateAnyway() {
    ServedModel ensemble = ensemble(PLAIN);
    busy("a", 3);
    cold("b", ModelDoor.ColdStart.in(30 * MS));
    assertThat(reason(ensemble, 40 * MS - 1)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(asked).isEmpty();
    assertThat(reason(ensemble, 40 * MS)).isEqualTo(RefusalReason.DEADLINE);
    assertThat(asked).containsExactly("b");
  }

  private ServedModel model(String name) {
    return Objects.requireNonNull(members.get(name));
  }

  private void idle(String name) {
    model(name).door().load().set(ModelLoad.IDLE);
  }

  /** So many batches have to end before the next one runs. */
  private void busy(String name, int batches) {
    load(name, batches, 0, false, PriorityLevels.NONE);
  }

  private void full(String name) {
    load(name, 0, 0, true, PriorityLevels.NONE);
  }

  private void cold(String name, ModelDoor.ColdStart start) {
    members.computeIfPresent(name, (n, loaded) -> loaded.cold());
    model(name).door().expect(start);
  }

  private void load(
      String name, int waiting, long objectiveNs, boolean isFull, PriorityLevels levels) {
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 10 * MS, 10 * MS);
    model(name)
        .door()
        .load()
        .set(
            new ModelLoad(
                waiting,
                waiting,
                0,
                1,
                isFull,
                0,
                speed,
                0,
                0,
                0,
                objectiveNs,
                false,
                levels,
                new ModelLoad.TenantRoom(false, Set.of())));
  }

  private void enter(ServedModel ensemble, long deadlineNs) {
    door.enter(ensemble, terms(deadlineNs));
  }

  private static DoorTerms terms(long deadlineNs) {
    return new DoorTerms("", 0, deadlineNs, 0, 0);
  }

  private RefusalReason reason(ServedModel ensemble, long deadlineNs) {
    return Objects.requireNonNull(refusal(ensemble, terms(deadlineNs)).reason());
  }

  private InferenceException refusal(ServedModel ensemble, DoorTerms terms) {
    InferenceException[] refusal = new InferenceException[1];
    assertThatThrownBy(() -> door.enter(ensemble, terms))
        .isInstanceOfSatisfying(InferenceException.class, e -> refusal[0] = e);
    return refusal[0];
  }

  private ServedModel ensemble(String extensions) {
    return ensemble("a", "b", extensions);
  }

  private ServedModel ensemble(String first, String second, String extensions) {
    return TestEnsembles.served(
        """
        {'platform': 'ensemble',
         'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}],
         'output': [{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}],
         'ensemble_scheduling': {'step': [
           {'model_name': '%s', 'input_map': {'IN': 'IN'}, 'output_map': {'OUT': 'x'}},
           {'model_name': '%s', 'input_map': {'IN': 'x'}, 'output_map': {'OUT': 'OUT'}}]},
         'conveyor': %s}"""
            .formatted(first, second, extensions),
        (model, version) -> TestEnsembles.member("IN", "OUT"),
        Steps.onClassPath(),
        step -> members.get(step.model()));
  }

  private static ServedModel member(String name) {
    return new ServedModel(
        name,
        "1",
        "1@1",
        "test",
        ModelConfig.empty(name),
        new ModelSignature(List.of(), List.of(), 0),
        List.of(),
        Map.of(),
        new InputCheck(name, List.of(), List.of(), 0),
        ImageInputs.NONE,
        new RecordingModelStats());
  }
}
