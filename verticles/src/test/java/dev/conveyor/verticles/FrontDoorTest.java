package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.Quota;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.config.Tenants.Tenant;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.scheduler.admission.PriorityLevels;
import dev.conveyor.scheduler.admission.PriorityLevels.Waiting;
import dev.conveyor.scheduler.batching.Ahead;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Who may come in by what is known before the body; a run takes 10 ms, at time zero. */
final class FrontDoorTest {

  private static final long MS = 1_000_000;
  private static final long NONE = InferenceRequest.NO_DEADLINE;

  private final FrontDoor door = new FrontDoor(Tenants.DEFAULT, () -> 0);
  private final ServedModel model = served(ModelConfig.empty("m"));
  private final List<String> asked = new ArrayList<>();

  private static ServedModel served(ModelConfig config) {
    return served(config, "1");
  }

  private static ServedModel served(ModelConfig config, String version) {
    return served(config, version, ImageInputs.NONE);
  }

  private static ServedModel served(ModelConfig config, String version, ImageInputs images) {
    return new ServedModel(
        "m",
        version,
        version + "@1",
        "test",
        config,
        new ModelSignature(List.of(), List.of(), 0),
        List.of(),
        Map.of(),
        new InputCheck("m", List.of(), List.of(), 0),
        images,
        new RecordingModelStats());
  }

  private FrontDoor waking(Tenants tenants) {
    return new FrontDoor(
        tenants,
        () -> 0,
        (name, request, left) -> {
          asked.add(name);
          return Future.succeededFuture();
        });
  }

  /** It takes 30 ms to load. */
  private static ServedModel cold(ServedModel served) {
    ServedModel cold = served.cold();
    cold.door().expect(ModelDoor.ColdStart.in(30 * MS));
    return cold;
  }

  @Test
  void shouldKeepOutByWhatTheLevelOfARequestFinds() {
    Waiting high = new Waiting(0, 0, 0, false, true);
    Waiting low = new Waiting(9, 9, 0, true, false);
    load(9, 100 * MS, new PriorityLevels(2, List.of(high, low)));

    enter(new DoorTerms("", 0, NONE, 1, 0));
    assertThat(reason(new DoorTerms("", 0, NONE, 2, 0))).isEqualTo(RefusalReason.QUEUE_FULL);
    assertThat(reason(new DoorTerms("", 0, NONE, 0, 0))).isEqualTo(RefusalReason.QUEUE_FULL);
    enter(new DoorTerms(null, 0, NONE));
  }

  @Test
  void shouldWeighBytesOfTensorsButNotOfImagesWhichBecomeOthers() {
    ServedModel takesImages =
        served(
            ModelConfig.empty("m"),
            "1",
            new ImageInputs() {
              @Override
              public boolean applyTo(List<Tensor> inputs) {
                return true;
              }

              @Override
              public Future<Prepared> preprocess(
                  List<Tensor> inputs, ReplyTo reply, Runnable admission) {
                return Future.succeededFuture(new Prepared(inputs));
              }
            });
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 10 * MS, 10 * MS);
    ModelLoad holding = new ModelLoad(1, 1, 90, 1, false, 100, speed, 0, 0, 0);
    model.door().load().set(holding);
    takesImages.door().load().set(holding);

    enter(new DoorTerms("", 10, NONE));
    assertThat(reason(new DoorTerms("", 11, NONE))).isEqualTo(RefusalReason.QUEUE_BYTES);
    door.enter(takesImages, new DoorTerms("", 11, NONE));
  }

  @Test
  void shouldTakeTheTimeoutForADeadlineWhereTheModelHasAnObjective() {
    load(2, 100 * MS, PriorityLevels.NONE);
    enter(new DoorTerms("", 0, NONE, 0, 30_000));
    assertThat(reason(new DoorTerms("", 0, NONE, 0, 29_999))).isEqualTo(RefusalReason.DEADLINE);

    load(2, 0, PriorityLevels.NONE);
    enter(new DoorTerms("", 0, NONE, 0, 1)); // Triton's queue timeout, no deadline
  }

  @Test
  void shouldLeaveItToTheSchedulerWhoGivesWayInAFullQueue() {
    full(true, new ModelLoad.TenantRoom(true, Set.of()));
    enter(new DoorTerms("named", 0, NONE));
    assertThat(reason(new DoorTerms("", 0, NONE))).isEqualTo(RefusalReason.QUEUE_FULL);
    assertThat(reason(new DoorTerms(null, 0, NONE))).isEqualTo(RefusalReason.QUEUE_FULL);
  }

  @Test
  void shouldKeepTenantsOutOfAFullQueueWhereNothingGivesWayToThem() {
    full(true, ModelLoad.TenantRoom.NONE);
    assertThat(reason(new DoorTerms("named", 0, NONE))).isEqualTo(RefusalReason.QUEUE_FULL);

    full(false, new ModelLoad.TenantRoom(true, Set.of("greedy", "")));
    assertThat(reason(new DoorTerms("greedy", 0, NONE))).isEqualTo(RefusalReason.QUEUE_FULL);
    assertThat(reason(new DoorTerms("", 0, NONE))).isEqualTo(RefusalReason.QUEUE_FULL);
    enter(new DoorTerms("modest", 0, NONE));
    enter(new DoorTerms(null, 0, NONE));
  }

  @Test
  void shouldWeighADeadlineAgainstWhatIsBeforeTheTenant() {
    Map<String, Ahead> found = Map.of("greedy", new Ahead(9, 9, 9));
    full(false, new ModelLoad.TenantRoom(true, Set.of(), List.of(Ahead.NOTHING), found));
    assertThat(reason(new DoorTerms("greedy", 0, 99 * MS))).isEqualTo(RefusalReason.DEADLINE);
    enter(new DoorTerms("greedy", 0, 100 * MS));
    assertThat(reason(new DoorTerms("modest", 0, 9 * MS))).isEqualTo(RefusalReason.DEADLINE);
    enter(new DoorTerms("modest", 0, 10 * MS));
    enter(new DoorTerms(null, 0, 10 * MS));

    full(false, new ModelLoad.TenantRoom(true, Set.of()));
    enter(new DoorTerms("first to say", 0, 10 * MS));
    assertThat(reason(new DoorTerms(null, 0, 10 * MS))).isEqualTo(RefusalReason.DEADLINE);
    full(false, ModelLoad.TenantRoom.NONE);
    assertThat(reason(new DoorTerms("modest", 0, 10 * MS))).isEqualTo(RefusalReason.DEADLINE);
  }

  @Test
  void shouldRefuseWhatIsOverBeforeItsModelCanBeInMemoryAndHaveItLoaded() {
    FrontDoor waking = waking(Tenants.DEFAULT);
    ServedModel cold = model.cold();
    waking.enter(cold, new DoorTerms("", 0, 1)); // nothing is known of it
    cold.door().expect(ModelDoor.ColdStart.in(30 * MS));
    waking.enter(cold, new DoorTerms("", 0, NONE));
    waking.enter(cold, new DoorTerms("", 0, 30 * MS));
    assertThat(asked).isEmpty();

    assertThatThrownBy(() -> waking.enter(cold, new DoorTerms("", 0, 30 * MS - 1)))
        .hasMessageContaining("Model 'm' is not ready: it is not in memory")
        .isInstanceOfSatisfying(
            InferenceException.class,
            refusal -> {
              assertThat(refusal.reason()).isEqualTo(RefusalReason.DEADLINE);
              assertThat(refusal.retryAfterNs()).isEqualTo(30 * MS);
            });
    assertThat(asked).containsExactly("m");
    assertThat(cold.stats().refusals()).containsEntry(RefusalReason.DEADLINE, 1L);

    cold.door().expect(ModelDoor.ColdStart.at(10 * MS));
    waking.enter(cold, new DoorTerms("", 0, 10 * MS));
    cold.door().expect(ModelDoor.ColdStart.at(-10 * MS));
    waking.enter(cold, new DoorTerms("", 0, 1)); // overdue: those who load it know more
  }

  @Test
  void shouldNotHaveAModelLoadedForATenantThatIsOverItsQuota() {
    Tenant limited = new Tenant(1, new Quota(1, 1));
    FrontDoor waking = waking(new Tenants(8, new Tenant(1, null), Map.of("limited", limited)));
    ServedModel cold = cold(model);
    DoorTerms hasty = new DoorTerms("limited", 0, 1);

    assertThat(reason(() -> waking.enter(cold, hasty))).isEqualTo(RefusalReason.DEADLINE);
    assertThat(asked).containsExactly("m");
    assertThat(reason(() -> waking.enter(cold, hasty))).isEqualTo(RefusalReason.TENANT_QUOTA);
    assertThat(asked).hasSize(1);
  }

  @Test
  void shouldNotHaveAModelLoadedBeforeItIsKnownWhoseQuotaThatSpends() {
    Tenant limited = new Tenant(1, new Quota(1, 1));
    FrontDoor waking = waking(new Tenants(8, new Tenant(1, null), Map.of("limited", limited)));
    ServedModel cold = cold(model);
    DoorTerms hasty = new DoorTerms(null, 0, 1);

    waking.enter(cold, hasty);
    assertThat(asked).isEmpty();
    assertThat(reason(() -> waking.enterAs(cold, hasty, "limited")))
        .isEqualTo(RefusalReason.DEADLINE);
    assertThat(asked).containsExactly("m");
    assertThat(reason(() -> waking.enterAs(cold, hasty, "limited")))
        .isEqualTo(RefusalReason.TENANT_QUOTA);
    assertThat(asked).hasSize(1);
  }

  @Test
  void shouldNotHaveAModelLoadedThatIsOverItsQuota() {
    FrontDoor waking = waking(Tenants.DEFAULT);
    ServedModel cold = cold(served(onePerSecond()));
    DoorTerms hasty = new DoorTerms(null, 0, 1);

    assertThat(reason(() -> waking.enter(cold, hasty))).isEqualTo(RefusalReason.DEADLINE);
    assertThat(reason(() -> waking.enter(cold, hasty))).isEqualTo(RefusalReason.MODEL_QUOTA);
    assertThat(asked).containsExactly("m");
  }

  @Test
  void shouldHoldAllVersionsAndLoadsOfAModelToOneQuota() {
    ServedModel first = served(onePerSecond(), "1");
    ServedModel second = served(onePerSecond(), "2");
    DoorTerms terms = new DoorTerms("", 0, NONE);

    door.enter(first, terms);
    for (ServedModel other : List.of(second, first.cold(), first.cold().continuing(first))) {
      assertThat(reason(() -> door.enter(other, terms))).isEqualTo(RefusalReason.MODEL_QUOTA);
    }
  }

  private static ModelConfig onePerSecond() {
    return ModelConfigReader.read(
        "m",
        """
        {"conveyor": {"admission": {"quota": {"requests_per_second": 1, "burst": 1}}}}""");
  }

  private void full(boolean forAll, ModelLoad.TenantRoom room) {
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 10 * MS, 10 * MS);
    PriorityLevels none = PriorityLevels.NONE;
    model
        .door()
        .load()
        .set(new ModelLoad(9, 9, 0, 1, forAll, 0, speed, 0, 0, 0, 0, false, none, room));
  }

  private void load(int waiting, long objectiveNs, PriorityLevels levels) {
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 10 * MS, 10 * MS);
    model
        .door()
        .load()
        .set(
            new ModelLoad(
                waiting,
                waiting,
                0,
                1,
                false,
                0,
                speed,
                0,
                0,
                0,
                objectiveNs,
                false,
                levels,
                ModelLoad.TenantRoom.NONE));
  }

  private void enter(DoorTerms terms) {
    door.enter(model, terms);
  }

  private RefusalReason reason(DoorTerms terms) {
    return reason(() -> enter(terms));
  }

  private static RefusalReason reason(ThrowingCallable entrance) {
    RefusalReason[] reason = new RefusalReason[1];
    assertThatThrownBy(entrance)
        .isInstanceOfSatisfying(InferenceException.class, e -> reason[0] = e.reason());
    return reason[0];
  }
}
