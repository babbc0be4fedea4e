package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.simulation.policy.Policies;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Hand-computed cases. A batch of n takes n + 5 ms, the objective is 20 ms, and one device. */
final class PoliciesTest {

  private static final long MS = 1_000_000;

  private final List<String> log = new ArrayList<>();
  private final Policy.Machine machine =
      new Policy.Machine() {
        @Override
        public void start(int device, int model, List<InferenceRequest> requests, Object token) {
          log.add("m%d x%d".formatted(model, requests.size()));
        }

        @Override
        public void refuse(int model, InferenceRequest request) {
          log.add("refuse " + request.arrivalNs() / MS);
        }
      };

  private static Policy policy(String name, int models) {
    return Policies.find(name)
        .apply(
            ScenarioReader.read(
                "test",
                """
                {"name": "t", "duration_seconds": 1, "devices": [{"name": "d"}],
                 "models": [
                   {"name": "m", "count": %d, "max_batch_size": 12,
                    "latency_objective_microseconds": 20000,
                    "profile": {"alpha_microseconds": 1000, "beta_microseconds": 5000}}]}
                """
                    .formatted(models)));
  }

  private void arrive(Policy policy, int model, long atMs, int count) {
    for (int i = 0; i < count; i++) {
      policy.arrive(
          model,
          InferenceRequest.of("m", "1", List.of(), ReplyTo.unheard())
              .arrivalNs(atMs * MS)
              .deadlineNs((atMs + 20) * MS)
              .build(),
          atMs * MS,
          machine);
    }
  }

  @Test
  void fifoShouldTakeAllThatWaitsHoweverLate() {
    Policy fifo = policy("fifo", 1);
    arrive(fifo, 0, 0, 3);
    arrive(fifo, 0, 90, 1);

    fifo.decide(100 * MS, machine);

    assertThat(log).containsExactly("m0 x4");
  }

  @Test
  void fifoShouldServeTheModelWhoseHeadWaitedLongest() {
    Policy fifo = policy("fifo", 2);
    arrive(fifo, 1, 0, 1);
    arrive(fifo, 0, 1, 13);

    fifo.decide(1 * MS, machine);

    assertThat(log).containsExactly("m1 x1");
  }

  @Test
  void fixedDelayShouldWaitForItsDelayOrAFullBatch() {
    Policy delayed = policy("fixed-delay-25", 1);
    arrive(delayed, 0, 0, 11);

    delayed.decide(5 * MS - 1, machine);
    assertThat(log).isEmpty();
    assertThat(delayed.wakeUpAtNs(5 * MS - 1)).isEqualTo(5 * MS);

    delayed.decide(5 * MS, machine);
    assertThat(log).containsExactly("m0 x11");

    Policy full = policy("fixed-delay-25", 1);
    arrive(full, 0, 0, 12);
    full.decide(0, machine);
    assertThat(log).containsExactly("m0 x11", "m0 x12");
  }

  @Test
  void edfShouldShrinkUntilTheHeadIsInTime() {
    Policy edf = policy("edf", 1);
    arrive(edf, 0, 0, 10);

    edf.decide(12 * MS, machine);

    assertThat(log).containsExactly("m0 x3");
  }

  @Test
  void edfShouldDropOnlyWhatWouldBeLateAlone() {
    Policy edf = policy("edf", 1);
    arrive(edf, 0, 0, 1);
    arrive(edf, 0, 1, 4);

    edf.decide(15 * MS, machine);

    assertThat(log).containsExactly("refuse 0", "m0 x1");
  }

  @Test
  void slidingWindowShouldDropHeadsUntilAPlannedBatchIsInTime() {
    // Planned: n + 5 <= 20 / 2, hence 5.
    Policy sliding = policy("sliding-window", 1);
    arrive(sliding, 0, 0, 2);
    arrive(sliding, 0, 4, 6);

    sliding.decide(12 * MS, machine);

    assertThat(log).containsExactly("refuse 0", "refuse 0", "m0 x5");
  }

  @Test
  void shrinkOrDropShouldShrinkToHalfOfWhatIsWantedButNotFurther() {
    Policy shrinks = policy("shrink-or-drop", 1);
    arrive(shrinks, 0, 0, 2);
    arrive(shrinks, 0, 4, 6);
    // Wanted 5; 20 - 12 - 5 = 3 fit.
    shrinks.decide(12 * MS, machine);
    assertThat(log).containsExactly("m0 x3");

    log.clear();
    Policy drops = policy("shrink-or-drop", 1);
    arrive(drops, 0, 0, 2);
    arrive(drops, 0, 4, 6);
    // 20 - 13 - 5 = 2 fit: less than half.
    drops.decide(13 * MS, machine);
    assertThat(log).containsExactly("refuse 0", "refuse 0", "m0 x5");
  }

  @Test
  void symphonyShouldWaitUntilOneMoreWouldMakeTheHeadLate() {
    Policy symphony = policy("symphony", 1);
    arrive(symphony, 0, 0, 4);

    symphony.decide(10 * MS - 1, machine);
    assertThat(log).isEmpty();
    assertThat(symphony.wakeUpAtNs(10 * MS - 1)).isEqualTo(10 * MS);

    symphony.decide(10 * MS, machine);
    assertThat(log).containsExactly("m0 x4");
  }

  @Test
  void shouldNameThePoliciesThereAre() {
    assertThatThrownBy(() -> Policies.find("lifo"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("unknown policy \"lifo\", there is: conveyor, fifo,");
  }
}
