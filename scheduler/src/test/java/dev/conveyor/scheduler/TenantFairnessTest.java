package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.config.Tenants.Tenant;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Tenants of one model, under virtual time; 2 ms per item. */
final class TenantFairnessTest {

  private static final long ITEM_NS = 2 * MS;

  private final Map<String, Integer> items = new HashMap<>();
  private long nowNs = T0;

  @Test
  void shouldServeASmallTenantAtOnceWhateverAnotherHasQueued() {
    Scheduler scheduler = scheduler(Tenants.DEFAULT, 1, DynamicBatching.DEFAULT);
    for (int i = 0; i < 50; i++) {
      submit(scheduler, "greedy", 1);
    }
    run(scheduler, 10);
    submit(scheduler, "modest", 1);
    run(scheduler, 2);

    assertThat(items.get("modest")).as("within two batches").isEqualTo(1);
  }

  @Test
  void shouldDivideDeviceTimeEquallyHoweverManyItemsARequestHas() {
    Scheduler scheduler = scheduler(Tenants.DEFAULT, 4, DynamicBatching.DEFAULT);
    saturate(scheduler, Map.of("large", 4, "small", 1), 200);

    assertThat((double) items.get("large") / items.get("small")).isCloseTo(1, within(0.05));
  }

  @Test
  void shouldDivideDeviceTimeByWeight() {
    Tenants tenants = new Tenants(10, new Tenant(1, null), Map.of("gold", new Tenant(3, null)));
    Scheduler scheduler = scheduler(tenants, 4, DynamicBatching.DEFAULT);
    saturate(scheduler, Map.of("gold", 2, "lead", 2), 200);

    assertThat((double) items.get("gold") / items.get("lead")).isCloseTo(3, within(0.15));
  }

  @Test
  void shouldKeepTheOrderOfArrivalWhereNobodySaysWhoItIs() {
    Scheduler scheduler = scheduler(Tenants.DEFAULT, 1, DynamicBatching.DEFAULT);
    List<InferenceRequest> sent =
        List.of(request().items(1).build(), request().items(1).build(), request().build());
    sent.forEach(one -> assertThat(scheduler.submit(one, nowNs)).isNull());

    for (InferenceRequest one : sent) {
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      assertThat(next.batch().requests()).containsExactly(one);
      finish(scheduler, next);
    }
  }

  @Test
  void shouldKeepTheOrderOfArrivalWhereTheModelPreservesIt() {
    DynamicBatching ordered =
        new DynamicBatching(List.of(), Duration.ZERO, true, 0, 0, QueuePolicy.DEFAULT, Map.of());
    Scheduler scheduler = scheduler(Tenants.DEFAULT, 1, ordered);
    for (int i = 0; i < 20; i++) {
      submit(scheduler, "greedy", 1);
    }
    submit(scheduler, "modest", 1);
    run(scheduler, 20);

    assertThat(items).doesNotContainKey("modest");
  }

  @Test
  void shouldNotChargeWhatDidNotRun() {
    Scheduler scheduler = scheduler(Tenants.DEFAULT, 1, DynamicBatching.DEFAULT);
    submit(scheduler, "other", 1);
    Assignment running = Objects.requireNonNull(scheduler.poll(nowNs));
    for (int i = 0; i < 50; i++) {
      InferenceRequest gone = request().tenant("unlucky").build();
      assertThat(scheduler.submit(gone, nowNs)).isNull();
      TestRequests.cancel(gone);
    }
    scheduler.sweep("m");
    assertThat(scheduler.takeRejected()).hasSize(50);
    for (int i = 0; i < 20; i++) {
      submit(scheduler, "other", 1);
    }
    submit(scheduler, "unlucky", 1);
    finish(scheduler, running);
    run(scheduler, 2);

    assertThat(items.get("unlucky")).isEqualTo(1);
  }

  /** Runs batches, and sends one for every request that ran, so that nobody's queue is empty. */
  private void saturate(Scheduler scheduler, Map<String, Integer> tenants, int batches) {
    for (int i = 0; i < 4; i++) {
      tenants.forEach((tenant, size) -> submit(scheduler, tenant, size));
    }
    for (int i = 0; i < batches; i++) {
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      for (InferenceRequest done : next.batch().requests()) {
        items.merge(done.tenant(), done.batchSize(), Integer::sum);
        submit(scheduler, done.tenant(), done.batchSize());
      }
      finish(scheduler, next);
    }
  }

  private void run(Scheduler scheduler, int batches) {
    for (int i = 0; i < batches; i++) {
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      for (InferenceRequest done : next.batch().requests()) {
        items.merge(done.tenant(), done.batchSize(), Integer::sum);
      }
      finish(scheduler, next);
    }
  }

  private void finish(Scheduler scheduler, Assignment assignment) {
    long busyNs = assignment.batch().items() * ITEM_NS;
    nowNs += busyNs;
    scheduler.onOutcome(
        assignment,
        new BatchOutcome(true, assignment.batch().items(), 0, 0, busyNs, 0, busyNs),
        nowNs);
  }

  private void submit(Scheduler scheduler, String tenant, int size) {
    assertThat(scheduler.submit(request().tenant(tenant).items(size).build(), nowNs)).isNull();
  }

  private static Scheduler scheduler(Tenants tenants, int max, DynamicBatching batching) {
    Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)), tenants);
    scheduler.addModel(
        new ModelPlan("m", "1", max, Optional.of(batching), 1, 1000, Admission.DEFAULT), T0);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    return scheduler;
  }
}
