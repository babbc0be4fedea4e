package dev.conveyor.scheduler.fairness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.fairness.StartTimeFairQueue.Flow;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

final class StartTimeFairQueueTest {

  private final StartTimeFairQueue queue = new StartTimeFairQueue();

  @Test
  void shouldNotLetAFlowSaveUpCreditWhileItIsIdle() {
    Flow busy = queue.addFlow(1);
    Flow idle = queue.addFlow(1);
    for (int i = 0; i < 10; i++) {
      serve(busy, 100);
    }

    queue.activate(idle);

    assertThat(queue.startTag(idle)).isEqualTo(900);
    serve(idle, 100);
    assertThat(queue.startTag(idle)).isEqualTo(queue.startTag(busy));
  }

  @Test
  void shouldNarrowTheWindowForLongBatches() {
    Flow flow = queue.addFlow(2);
    assertThat(queue.windowNs(flow)).isZero();
    serve(flow, 6e6);
    assertThat(queue.windowNs(flow)).isEqualTo(4 * 6e6 / 2);
    serve(flow, 7e6);
    assertThat(queue.windowNs(flow)).isEqualTo(25e6 / 2);
    serve(flow, 20e6);
    assertThat(queue.windowNs(flow)).isEqualTo(2 * 20e6 / 2);
  }

  @Test
  void shouldChargeWhatABatchReallyTook() {
    Flow underestimated = queue.addFlow(2);
    Flow other = queue.addFlow(1);
    queue.dispatch(underestimated, 100);
    queue.complete(underestimated, 100, 1000);

    assertThat(queue.startTag(underestimated)).isEqualTo(500);
    assertThat(queue.startTag(other)).isZero();
  }

  @Test
  void shouldKeepTheCreditOfAFlowThatWasHeldBackUpToItsWindow() {
    Flow busy = queue.addFlow(1);
    Flow heldBack = queue.addFlow(1);
    serve(busy, 100);
    serve(busy, 100);

    queue.enter(heldBack);
    assertThat(queue.startTag(heldBack)).isZero();
    for (int i = 0; i < 10; i++) {
      serve(busy, 100);
    }
    double window = queue.windowNs(heldBack);
    assertThat(window).isEqualTo(400);
    queue.enter(heldBack);
    assertThat(queue.startTag(heldBack)).isEqualTo(1100 - window);
  }

  /** Between two flows that always have work, served time / weight differs by a batch of each. */
  @Property(tries = 300)
  void shouldShareByWeightWithinTheCostOfABatch(
      @ForAll @Size(min = 2, max = 6) List<@IntRange(min = 1, max = 8) Integer> weights,
      @ForAll @Size(min = 20, max = 200) List<@IntRange(min = 1, max = 1000) Integer> costs) {
    StartTimeFairQueue fair = new StartTimeFairQueue();
    List<Flow> flows = new ArrayList<>();
    weights.forEach(weight -> flows.add(fair.addFlow(weight)));
    double[] served = new double[flows.size()];
    for (int cost : costs) {
      int next = 0;
      for (int i = 1; i < flows.size(); i++) {
        next = fair.startTag(flows.get(i)) < fair.startTag(flows.get(next)) ? i : next;
      }
      fair.dispatch(flows.get(next), 500);
      fair.complete(flows.get(next), 500, cost);
      served[next] += (double) cost / weights.get(next);
    }

    for (int i = 0; i < served.length; i++) {
      for (int j = 0; j < served.length; j++) {
        assertThat(served[i] - served[j])
            .isCloseTo(0, Offset.offset(1000.0 / weights.get(i) + 1000.0 / weights.get(j)));
      }
    }
  }

  private void serve(Flow flow, double costNs) {
    queue.dispatch(flow, costNs);
    queue.complete(flow, costNs, costNs);
  }
}
