package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import dev.conveyor.verticles.metrics.Samples;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is said at the doors of models that wait for their turn to be loaded. */
final class ResidentsTest {

  /** Its load is expected to take more than a minute, which no test does. */
  private static final long HUGE_BYTES = 100L << 30;

  private static final long LOAD_NS = TimeUnit.MINUTES.toNanos(1);

  private final Vertx vertx = Vertx.vertx();
  private final Residents residents =
      new Residents(
          vertx,
          new Sites(new MemoryBudget("CPU", HUGE_BYTES), List.of()),
          name -> false,
          (name, reason) -> Future.succeededFuture());
  private final Map<String, ServedModel> queued =
      Stream.of("failing", "gone", "loaded", "last")
          .collect(
              Collectors.toMap(
                  name -> name, name -> Samples.onDemand(name, new RecordingModelStats())));

  @BeforeEach
  void queueLoads() {
    for (String name : List.of("failing", "gone", "loaded", "last")) {
      residents.register(name, List.of(queued.get(name)), HUGE_BYTES);
    }
    for (String name : List.of("failing", "gone", "loaded", "last")) {
      residents.onColdStart(name);
    }
  }

  @AfterEach
  void close() {
    vertx.close();
  }

  @Test
  void shouldExpectAModelSoonerOnceThoseBeforeItAreDoneSoonerThanExpected() {
    long all = readyNs("last");
    residents.onLoadFailed("failing", "broken", false);
    long three = readyNs("last");
    assertThat(all - three).as("one failed").isGreaterThan(LOAD_NS);
    residents.remove("gone");
    long two = readyNs("last");
    assertThat(three - two).as("one was unloaded").isGreaterThan(LOAD_NS);
    residents.onServing("loaded", List.of(queued.get("loaded")), 0);
    assertThat(two - readyNs("last")).as("one serves").isGreaterThan(LOAD_NS);
  }

  private long readyNs(String name) {
    return queued.get(name).door().coldStart().ns();
  }
}
