package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.Tenants;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/**
 * How long a request of a low level waits while the highest always has something to run, under
 * virtual time; a request takes 10 ms.
 */
final class TenantAgeingTest {

  private static final long RUN_NS = 10 * MS;
  private static final long AGEING_NS = 1000 * MS;

  /** What goes up waits for what its tenant and the others have at the highest level by then. */
  private static final long TURNS_NS = AGEING_NS / 2;

  private final Set<InferenceRequest> waiting = new LinkedHashSet<>();
  private Scheduler scheduler = scheduler(2);
  private long nowNs = T0;

  @Test
  void shouldLetTheSecondOfATenantGoUpThoughOthersAreFirstAtItsLevel() {
    submit("patient", 2);
    submit("patient", 2);
    for (int step = 0; step < 500; step++) {
      if (step % 10 == 0) {
        submit("light" + step / 10 % 20, 2);
      }
      runOneBesides("busy");
    }
    assertThat(waiting).noneMatch(request -> request.tenant().equals("patient"));
  }

  /**
   * Whoever waits at level n goes up n - 1 times, and is served in its turn then, whatever others
   * send meanwhile and to whichever level.
   */
  @Property(tries = 100)
  void shouldLetNobodyWaitForLongerThanItTakesToGoUp(
      @ForAll long seed,
      @ForAll @IntRange(min = 2, max = 3) int levels,
      @ForAll @IntRange(min = 2, max = 8) int tenants) {
    Random random = new Random(seed);
    scheduler = scheduler(levels);
    waiting.clear();
    nowNs = T0;
    for (int step = 0; step < 1000; step++) {
      if (random.nextInt(10) == 0) {
        String tenant = "t" + random.nextInt(tenants);
        int level = 2 + random.nextInt(levels - 1);
        int count = 1 + random.nextInt(3);
        for (int i = 0; i < count; i++) {
          submit(tenant, level);
        }
      }
      runOneBesides("busy");
    }
  }

  /** Runs one request while the highest level has more than one waiting of this tenant. */
  private void runOneBesides(String tenant) {
    submit(tenant, 1);
    Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
    InferenceRequest ran = next.batch().requests().get(0);
    assertThat(waiting.remove(ran)).isTrue();
    nowNs += RUN_NS;
    scheduler.onOutcome(next, new BatchOutcome(true, 1, 0, 0, RUN_NS, 0, RUN_NS), nowNs);
    for (InferenceRequest request : waiting) {
      if (!request.tenant().equals(tenant)) {
        assertThat(nowNs - request.arrivalNs())
            .as("wait of one of %s at level %d", request.tenant(), request.priority())
            .isLessThan((request.priority() - 1) * AGEING_NS + TURNS_NS);
      }
    }
  }

  private void submit(String tenant, int level) {
    InferenceRequest one = request().tenant(tenant).priority(level).arrivalNs(nowNs).build();
    assertThat(scheduler.submit(one, nowNs)).isNull();
    waiting.add(one);
  }

  private static Scheduler scheduler(int levels) {
    Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)), Tenants.DEFAULT);
    DynamicBatching batching =
        new DynamicBatching(
            List.of(), Duration.ZERO, false, levels, levels, QueuePolicy.DEFAULT, Map.of());
    ServiceLevel ageing =
        new ServiceLevel(
            Duration.ZERO, 99, ServiceLevel.PriorityClass.STANDARD, Duration.ofNanos(AGEING_NS));
    scheduler.addModel(
        new ModelPlan("m", "1", 1, Optional.of(batching), 1, 0, Admission.DEFAULT, ageing), T0);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    return scheduler;
  }
}
