package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.ColdRequest;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class ColdRoomTest {

  private static final int DEFAULT = 3;
  private static final long READY_IN_NS = 1_000_000;

  @Test
  void shouldTakeAsManyAsTheQueueOfTheirLevelHolds() {
    ColdRoom room =
        room(
            """
            {"dynamic_batching": {"priority_levels": 2, "default_priority_level": 2,
              "priority_queue_policy": {"1": {"max_queue_size": 1}}}}""");
    assertThat(enter(room, 1, 8)).isNull();
    InferenceException full = enter(room, 1, 8);
    assertThat(full).hasMessage("Model 'm' is loading and 1 requests wait for it already");
    assertThat(full.reason()).isEqualTo(RefusalReason.QUEUE_FULL);
    assertThat(full.retryAfterNs()).isEqualTo(READY_IN_NS);
    for (int i = 0; i < DEFAULT; i++) {
      assertThat(enter(room, 0, 8)).isNull();
    }
    assertThat(enter(room, 2, 8)).isNotNull();

    room.leave(request(1, 8));
    assertThat(enter(room, 1, 8)).isNull();
  }

  @Test
  void shouldTakeMoreThanTheDefaultWhereTheModelSaysSo() {
    ColdRoom room =
        room(
            """
            {"dynamic_batching": {"default_queue_policy": {"max_queue_size": 4}}}""");
    for (int i = 0; i < DEFAULT + 1; i++) {
      assertThat(enter(room, 0, 8)).isNull();
    }
    assertThat(enter(room, 0, 8)).isNotNull();
  }

  @Test
  void shouldTakeNoMoreBytesThanTheQueueDoes() {
    ColdRoom room =
        room(
            """
            {"conveyor": {"admission": {"max_queue_bytes": 100}},
             "dynamic_batching": {"priority_levels": 2, "default_priority_level": 2}}""");
    assertThat(enter(room, 2, 150)).as("the first may have any size").isNull();
    assertThat(enter(room, 2, 1).reason()).isEqualTo(RefusalReason.QUEUE_BYTES);
    assertThat(enter(room, 1, 60)).as("a lower level is not in its way").isNull();
    assertThat(enter(room, 1, 41)).isNotNull();
    assertThat(enter(room, 1, 40)).isNull();
  }

  private static ColdRoom room(String config) {
    return new ColdRoom(ModelConfigReader.read("m", config), DEFAULT);
  }

  private static @Nullable InferenceException enter(ColdRoom room, int priority, long bytes) {
    return room.enter(request(priority, bytes), READY_IN_NS);
  }

  private static ColdRequest request(int priority, long bytes) {
    return new ColdRequest(priority, bytes, InferenceRequest.NO_DEADLINE);
  }
}
