package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A device of two slots, and models of which a and b take three times as long side by side, and so
 * do a and one with long batches; c and d disturb nobody.
 */
final class PairsAtOnceTest {

  private static final long ALONE_MS = 10;
  private static final long LONG_MS = 40;

  private final Scheduler scheduler = new Scheduler(List.of(DeviceSpec.gpu("gpu", 2)));
  private long now = T0;

  @BeforeEach
  void learn() {
    for (String name : List.of("a", "b", "c", "d", "long")) {
      scheduler.addModel(new ModelPlan(name, "1", 1, Optional.empty(), 1, 0), now);
      scheduler.addInstance(new InstanceRef(name + "/1", 0, "gpu", 1), now);
    }
    runAlone();
    runAlone();
    runAlone();
    for (String other : List.of("b", "long")) {
      for (int meeting = 0; meeting < 8; meeting++) {
        for (int i = 0; i < 40; i++) {
          run(1, "c", "d");
        }
        run(3, "a", other);
        runAlone();
      }
    }
    assertThat(limit()).as("most do well side by side").isEqualTo(2);
  }

  private int limit() {
    return scheduler.profile("a/1").devices().get(0).occupancy().limit();
  }

  /** Most of what a model runs, so that it is not taken for slower than it was. */
  private void runAlone() {
    for (int i = 0; i < 4; i++) {
      run(1, "a");
      run(1, "b");
      run(1, "long");
      run(1, "c");
      run(1, "d");
    }
  }

  @Test
  void shouldStartAnotherModelInstead() {
    submit("a");
    Assignment first = Objects.requireNonNull(scheduler.poll(now));
    submit("b");
    submit("c");

    assertThat(model(scheduler.poll(now))).isEqualTo("c");
    assertThat(scheduler.poll(now)).isNull();
    now += ALONE_MS * MS;
    end(first, ALONE_MS);
    assertThat(model(scheduler.poll(now))).isEqualTo("b");
  }

  @Test
  void shouldKeepASlotFreeUntilTheOtherEndsOrOutlastsItsTurn() {
    submit("a");
    assertThat(model(scheduler.poll(now))).isEqualTo("a");
    submit("b");
    assertThat(scheduler.poll(now)).isNull();

    long untilNs = scheduler.wakeUpInNs(now);
    assertThat(untilNs).isBetween(ALONE_MS * MS, 20 * ALONE_MS * MS);
    assertThat(scheduler.poll(now + untilNs - 1)).as("it may still end").isNull();
    assertThat(model(scheduler.poll(now + untilNs))).isEqualTo("b");
  }

  @Test
  void shouldMeetAgainAfterHalfAMinute() {
    now += 31_000 * MS;
    submit("a");
    submit("b");
    assertThat(model(scheduler.poll(now))).isEqualTo("a");
    assertThat(model(scheduler.poll(now))).isEqualTo("b");
  }

  @Test
  void shouldNotHaveAShortBatchWaitForALongOneBeforeItsEndIsNear() {
    submit("long");
    assertThat(model(scheduler.poll(now))).isEqualTo("long");
    now += (LONG_MS - 2 * ALONE_MS - 2) * MS; // 22 ms are left, 20 would be lost
    submit("a");
    Assignment beside = Objects.requireNonNull(scheduler.poll(now));
    now += MS;
    end(beside, 3 * ALONE_MS);
    now += 2 * MS;
    submit("a");
    assertThat(scheduler.poll(now)).as("done no later if it waits").isNull();
  }

  @Test
  void shouldChargeTheRoomThatIsKeptFree() {
    Map<String, Integer> runs = new HashMap<>();
    Map<Assignment, Long> ends = new LinkedHashMap<>();
    for (String name : List.of("a", "b", "c")) {
      for (int i = 0; i < 400; i++) {
        submit(name);
      }
    }
    for (int i = 0; i < 600; i++) {
      Assignment next = scheduler.poll(now);
      while (next != null) {
        ends.put(next, now + ALONE_MS * MS + i % 3);
        next = scheduler.poll(now);
      }
      Assignment ended =
          ends.entrySet().stream().min(Map.Entry.comparingByValue()).orElseThrow().getKey();
      now = Objects.requireNonNull(ends.remove(ended));
      end(ended, ALONE_MS);
      runs.merge(model(ended), 1, Integer::sum);
    }

    assertThat(runs.get("c"))
        .as("more than its third: a or b alone has the whole device, %s", runs)
        .isGreaterThan(220);
  }

  /** Runs a batch of each model at the same time, which takes so many times as long as alone. */
  private void run(int times, String... models) {
    List<Assignment> running = new ArrayList<>();
    for (String model : models) {
      submit(model);
      Assignment next = scheduler.poll(now);
      if (next != null) {
        running.add(next);
      }
    }
    long longestMs = List.of(models).contains("long") ? LONG_MS : ALONE_MS;
    now += times * longestMs * MS;
    for (Assignment assignment : running) {
      long tookMs = times * (model(assignment).equals("long") ? LONG_MS : ALONE_MS);
      end(assignment, tookMs);
    }
    for (Assignment late = scheduler.poll(now); late != null; late = scheduler.poll(now)) {
      now += ALONE_MS * MS;
      end(late, ALONE_MS);
    }
  }

  private void end(Assignment assignment, long tookMs) {
    scheduler.onOutcome(
        assignment, new BatchOutcome(true, 1, now - tookMs * MS, 0, tookMs * MS, 0, now), now);
  }

  private static String model(Assignment assignment) {
    return Objects.requireNonNull(assignment).instance().key().replace("/1", "");
  }

  private void submit(String model) {
    assertThat(scheduler.submit(request().model(model).arrivalNs(now).build(), now)).isNull();
  }
}
