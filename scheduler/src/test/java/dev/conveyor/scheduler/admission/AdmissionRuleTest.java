package dev.conveyor.scheduler.admission;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.admission.AdmissionRule.Preparation;
import dev.conveyor.scheduler.admission.ModelLoad.Speed;
import java.util.Objects;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

final class AdmissionRuleTest {

  /** Batches of up to 4, one at a time: 2 ms for one, 8 ms for four. */
  private static final Speed SPEED = new Speed(4, 1, 2 * MS, 8 * MS);

  @Test
  void shouldTakeEverythingWhileTheModelIsIdle() {
    ModelLoad idle = new ModelLoad(0, 0, 0, 0, false, 0, SPEED, T0, 0, 0);

    assertThat(AdmissionRule.check("m", idle, 1, 0, T0 + 1, T0)).isNull();
  }

  @Test
  void shouldTakeEverythingUntilACostIsKnown() {
    ModelLoad unknown = new ModelLoad(100, 100, 0, 1, false, 0, new Speed(4, 1, 0, 0), T0, 0, 0);

    assertThat(AdmissionRule.check("m", unknown, 1, 0, T0 + 1, T0)).isNull();
  }

  @Test
  void shouldTakeARequestExactlyIfItCanBeAnsweredInTime() {
    // Free in 3 ms; two full batches go first; it joins one item and makes a batch of two.
    ModelLoad load = load(9, 3 * MS, 0);
    long neededNs = 3 * MS + 2 * 8 * MS + 4 * MS;

    assertThat(load.waitNs(1, T0)).isEqualTo(19 * MS);
    assertThat(check(load, neededNs)).isNull();
    InferenceException late = Objects.requireNonNull(check(load, neededNs - MS));
    assertThat(late.code()).isEqualTo(ErrorCode.OVERLOADED);
    assertThat(late.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(late.retryAfterNs()).as("then it is just in time").isEqualTo(MS);
    assertThat(late)
        .hasMessageContaining(
            "after 23.0 ms, 1.0 ms too late: 19.0 ms in the queue, 4.0 ms to run");
    assertThat(check(load, neededNs - 1)).isNotNull();
  }

  @Test
  void shouldTakeTheObjectiveForADeadlineUnlessTheClientIsInMoreOfAHurry() {
    ModelLoad promised =
        new ModelLoad(0, 0, 0, 1, false, 0, SPEED, T0 + 3 * MS, 0, 0, (3 + 2) * MS, false);
    ModelLoad missed =
        new ModelLoad(0, 0, 0, 1, false, 0, SPEED, T0 + 3 * MS, 0, 0, (3 + 2) * MS - 1, false);
    long never = InferenceRequest.NO_DEADLINE;

    assertThat(AdmissionRule.check("m", promised, 1, 0, never, T0)).isNull();
    InferenceException refusal =
        Objects.requireNonNull(AdmissionRule.check("m", missed, 1, 0, never, T0));
    assertThat(refusal.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(check(missed, 60 * MS)).as("a client with more time").isNotNull();
    assertThat(check(promised, 60 * MS)).isNull();
    assertThat(check(promised, (3 + 2) * MS - 1)).as("one with less").isNotNull();
  }

  @Test
  void shouldKeepTheLearnedErrorAsAMargin() {
    ModelLoad load = new ModelLoad(0, 0, 0, 1, false, 0, SPEED, T0 + 3 * MS, 5 * MS, 0);

    assertThat(check(load, (3 + 2 + 5) * MS)).isNull();
    assertThat(check(load, (3 + 2 + 5) * MS - 1)).isNotNull();
  }

  @Test
  void shouldExpectLessWaitWhereBatchesRunInParallel() {
    Speed two = new Speed(4, 2, 2 * MS, 8 * MS);
    ModelLoad load = new ModelLoad(8, 8, 0, 2, false, 0, two, T0, 0, 0);

    assertThat(load.waitNs(1, T0)).isEqualTo(8 * MS);
  }

  @Test
  void shouldNotLetARequestJoinABatchThatItDoesNotFitInto() {
    ModelLoad load = load(3, 0, 0);

    assertThat(load.waitNs(1, T0)).isZero();
    assertThat(load.waitNs(2, T0)).isEqualTo(8 * MS);
    assertThat(load.latencyNs(1, T0)).isEqualTo(8 * MS);
    assertThat(load.latencyNs(2, T0)).isEqualTo(8 * MS + 4 * MS);
  }

  @Test
  void shouldLetTimePassForTheBatchInProgress() {
    ModelLoad load = load(0, 3 * MS, 0);

    assertThat(load.waitNs(1, T0)).isEqualTo(3 * MS);
    assertThat(load.waitNs(1, T0 + 2 * MS)).isEqualTo(MS);
    assertThat(load.waitNs(1, T0 + 9 * MS)).isZero();
  }

  @Test
  void shouldExpectLessToWaitForWhoComesLater() {
    ModelLoad busy = load(9, 3 * MS, 0);
    assertThat(busy.earliestDoneNs(0, T0)).isEqualTo((3 + 2 * 8 + 2) * MS);
    assertThat(busy.earliestDoneNs(19 * MS, T0)).isEqualTo((19 + 2) * MS);
    assertThat(busy.earliestDoneNs(20 * MS, T0)).isEqualTo((20 + 2) * MS);

    ModelLoad idle = new ModelLoad(0, 0, 0, 0, false, 0, SPEED, T0, 0, 0);
    assertThat(idle.earliestDoneNs(5 * MS, T0)).as("it takes any request").isEqualTo(5 * MS);
    ModelLoad unknown = new ModelLoad(9, 9, 0, 1, false, 0, Speed.UNKNOWN, T0, 0, 0);
    assertThat(unknown.earliestDoneNs(5 * MS, T0)).isEqualTo(5 * MS);
    ModelLoad promised = new ModelLoad(9, 9, 0, 1, false, 0, SPEED, T0, 0, 0, 50 * MS, false);
    assertThat(promised.earliestDoneNs(0, T0)).as("earliest deadline first").isEqualTo(2 * MS);

    Speed sometimes = new Speed(4, 1, 2 * MS, 8 * MS, MS, 2);
    ModelLoad others = new ModelLoad(9, 9, 0, 1, false, 0, sometimes, T0 + 3 * MS, 0, 0);
    assertThat(others.earliestDoneNs(0, T0)).as("if others rest").isEqualTo((3 + 8 + 1) * MS);
  }

  @Test
  void shouldShedRequestsWithoutADeadlineOnlyWhileOverloaded() {
    ModelLoad busy = load(8, MS, 0);
    assertThat(check(busy, null)).isNull();

    ModelLoad overloaded = load(8, MS, 17 * MS);
    assertThat(check(overloaded, null)).as("waits 17 ms, as long as it may").isNull();
    InferenceException shed = Objects.requireNonNull(check(load(8, 2 * MS, 17 * MS), null));
    assertThat(shed.reason()).isEqualTo(RefusalReason.OVERLOADED);
    assertThat(shed.retryAfterNs()).isEqualTo(MS);
  }

  @Test
  void shouldBoundRequestsAndBytes() {
    ModelLoad full = new ModelLoad(5, 5, 0, 1, true, 0, SPEED, T0 + MS, 0, 0);
    InferenceException tooMany = Objects.requireNonNull(check(full, null));
    assertThat(tooMany.code()).isEqualTo(ErrorCode.QUEUE_FULL);
    assertThat(tooMany)
        .as("what waits is not the bound")
        .hasMessageEndingWith(": 5 requests wait before it");
    assertThat(tooMany.retryAfterNs()).as("when the next batch starts").isEqualTo(MS);

    ModelLoad heavy = new ModelLoad(5, 5, 900, 1, false, 1000, SPEED, T0 + MS, 0, 0);
    assertThat(AdmissionRule.check("m", heavy, 1, 100, InferenceRequest.NO_DEADLINE, T0)).isNull();
    InferenceException tooMuch =
        AdmissionRule.check("m", heavy, 1, 101, InferenceRequest.NO_DEADLINE, T0);
    assertThat(Objects.requireNonNull(tooMuch).reason()).isEqualTo(RefusalReason.QUEUE_BYTES);
    ModelLoad empty = new ModelLoad(0, 0, 0, 1, false, 1000, SPEED, T0 + MS, 0, 0);
    assertThat(AdmissionRule.check("m", empty, 1, 5000, InferenceRequest.NO_DEADLINE, T0)).isNull();
  }

  @Property(tries = 300)
  void shouldTakeTheSameRequestOnceTheTimeItWasToldIsOver(
      @ForAll @IntRange(min = 0, max = 100) int queued,
      @ForAll @LongRange(min = 0, max = 50_000_000) long residualNs,
      @ForAll @LongRange(min = 0, max = 300_000_000) long leftNs) {
    ModelLoad load = load(queued, residualNs, 0);
    InferenceException refusal = check(load, leftNs);
    boolean inTime = load.latencyNs(1, T0) <= leftNs;
    assertThat(refusal == null).isEqualTo(inTime);
    if (refusal != null && refusal.retryAfterNs() < load.waitNs(1, T0)) {
      // The queue moved on meanwhile, and nothing came.
      assertThat(load.latencyNs(1, T0) - refusal.retryAfterNs()).isLessThanOrEqualTo(leftNs);
    }
  }

  @Test
  void shouldLearnTheErrorThatIsRarelyExceeded() {
    LatencyMargin margin = new LatencyMargin();
    assertThat(margin.ns(T0)).isZero();
    for (int i = 1; i <= 64; i++) {
      margin.record(i <= 60 ? -MS : i * MS, T0);
    }
    assertThat(margin.ns(T0)).as("the 61st of 64").isEqualTo(61 * MS);
    for (int i = 0; i < 64; i++) {
      margin.record(2 * MS, T0);
    }
    assertThat(margin.ns(T0)).as("what was is forgotten").isEqualTo(2 * MS);
  }

  @Test
  void shouldForgetErrorsOfTenSecondsAgoThoughNoneFollow() {
    LatencyMargin margin = new LatencyMargin();
    for (int i = 0; i < 8; i++) {
      margin.record(i == 0 ? 300 * MS : 2 * MS, T0 + i * (1000 * MS));
    }
    assertThat(margin.ns(T0 + 9_000 * MS)).isEqualTo(300 * MS);
    assertThat(margin.ns(T0 + 10_000 * MS)).isEqualTo(2 * MS);
    assertThat(margin.ns(T0 + 17_000 * MS)).isZero();
  }

  @Test
  void shouldCountTheTimeThatImagesWaitToBeDecoded() {
    // One batch in flight for 3 ms, then 2 ms for its own; the queue is worked off meanwhile.
    ModelLoad load = load(0, 3 * MS, 0);

    assertThat(prepared(load, 3 * MS, 5 * MS)).isNull();
    assertThat(prepared(load, 10 * MS, 12 * MS)).isNull();
    InferenceException late = Objects.requireNonNull(prepared(load, 10 * MS, 12 * MS - 1));
    assertThat(late.reason()).isEqualTo(RefusalReason.DEADLINE);
    assertThat(late).hasMessageContaining("10.0 ms until its images are decoded, 2.0 ms to run");
  }

  @Test
  void shouldRefuseForImagesThatWaitThoughTheModelItselfIsIdle() {
    ModelLoad idle = new ModelLoad(0, 0, 0, 0, false, 0, SPEED, T0, 0, 0);

    assertThat(prepared(idle, 10 * MS, 12 * MS - 1)).isNotNull();
    assertThat(prepared(idle, 10 * MS, 12 * MS)).isNull();
    assertThat(prepared(idle, 0, 1)).as("no other waits").isNull();
  }

  @Test
  void shouldQueueWhatIsDecodedBeforeItBeforeIt() {
    // Eight more make two full batches: 3 ms, twice 8 ms, then 2 ms for its own.
    ModelLoad load = load(0, 3 * MS, 0);

    assertThat(behind(load, 8, 21 * MS)).isNull();
    assertThat(behind(load, 8, 21 * MS - 1)).isNotNull();
  }

  private static InferenceException behind(ModelLoad load, int itemsAhead, long leftNs) {
    Preparation preparation = new Preparation(itemsAhead, MS);
    return AdmissionRule.check("m", load, 1, 0, preparation, T0 + leftNs, T0);
  }

  private static InferenceException prepared(ModelLoad load, long preparationNs, long leftNs) {
    Preparation preparation = new Preparation(0, preparationNs);
    return AdmissionRule.check("m", load, 1, 0, preparation, T0 + leftNs, T0);
  }

  private static InferenceException check(ModelLoad load, Long leftNs) {
    return AdmissionRule.check(
        "m", load, 1, 0, leftNs == null ? InferenceRequest.NO_DEADLINE : T0 + leftNs, T0);
  }

  private static ModelLoad load(int queued, long residualNs, long targetNs) {
    return new ModelLoad(queued, queued, 0, 1, false, 0, SPEED, T0 + residualNs, 0, targetNs);
  }
}
