package dev.conveyor.scheduler.batching;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.TestRequests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class RequestQueueTest {

  private static final Duration FIVE_MS = Duration.ofMillis(5);

  private final List<Rejection> rejected = new ArrayList<>();

  @Test
  void shouldRefuseAtItsBoundPerLevelAndTakeBelowIt() {
    QueuePolicy two = new QueuePolicy(TimeoutAction.REJECT, Duration.ZERO, false, 2);
    RequestQueue queue =
        new RequestQueue(
            "m",
            new DynamicBatching(
                List.of(), Duration.ZERO, false, 2, 2, QueuePolicy.DEFAULT, Map.of(1, two)),
            ServiceLevel.DEFAULT,
            3);

    assertThat(queue.offer(request().priority(1).build(), T0)).isNull();
    assertThat(queue.offer(request().priority(1).build(), T0)).isNull();
    assertThat(queue.offer(request().priority(1).build(), T0))
        .hasMessageContaining("exceeds maximum queue size 2")
        .hasMessageContaining("'m'")
        .extracting("code")
        .isEqualTo(ErrorCode.QUEUE_FULL);
    for (int i = 0; i < 3; i++) {
      assertThat(queue.offer(request().priority(2).build(), T0)).isNull();
    }
    assertThat(queue.offer(request().priority(2).build(), T0)).isNotNull();
    assertThat(queue.requests()).isEqualTo(5);
  }

  @Test
  void shouldFailARequestWhenItsTimeoutIsOverAndNotBefore() {
    RequestQueue queue = queue(new QueuePolicy(TimeoutAction.REJECT, FIVE_MS, false, 0));
    InferenceRequest request = request().items(2).timeoutMicros(1).build();
    assertThat(queue.offer(request, T0)).isNull();

    assertThat(queue.untilExpiryNs(T0 + MS)).isEqualTo(4 * MS);
    assertThat(queue.expire(T0 + 5 * MS - 1, rejected)).isFalse();
    assertThat(rejected).isEmpty();
    assertThat(queue.expire(T0 + 5 * MS, rejected)).isTrue();

    assertThat(rejected).hasSize(1);
    assertThat(rejected.get(0).request()).isSameAs(request);
    assertThat(rejected.get(0).failure().code()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
    assertThat(rejected.get(0).failure()).hasMessage("Request timeout expired");
    assertThat(queue.requests()).isZero();
    assertThat(queue.items()).isZero();
    assertThat(queue.expired()).isEqualTo(1);
    assertThat(queue.untilExpiryNs(T0)).isEqualTo(Lane.NEVER);
  }

  @Test
  void shouldTakeARequestsShorterTimeoutOnlyWhereItIsAllowed() {
    RequestQueue allowing = queue(new QueuePolicy(TimeoutAction.REJECT, FIVE_MS, true, 0));
    assertThat(allowing.offer(request().timeoutMicros(2000).build(), T0)).isNull();
    assertThat(allowing.offer(request().timeoutMicros(9000).build(), T0)).isNull();

    allowing.expire(T0 + 2 * MS - 1, rejected);
    assertThat(allowing.requests()).isEqualTo(2);
    allowing.expire(T0 + 2 * MS, rejected);
    assertThat(allowing.requests()).isEqualTo(1);
    allowing.expire(T0 + 5 * MS, rejected);
    assertThat(allowing.requests()).as("9 ms is longer than the default of 5").isZero();

    RequestQueue unlimited = queue(new QueuePolicy(TimeoutAction.REJECT, Duration.ZERO, true, 0));
    assertThat(unlimited.offer(request().timeoutMicros(2000).build(), T0)).isNull();
    assertThat(unlimited.offer(request().timeoutMicros(Long.MAX_VALUE).build(), T0)).isNull();
    unlimited.expire(T0 + 2 * MS, rejected);
    assertThat(unlimited.requests()).as("anything is shorter than no limit").isEqualTo(1);
    assertThat(unlimited.untilExpiryNs(T0 + 2 * MS)).isEqualTo(Lane.NEVER);
  }

  @Test
  void shouldFailARequestAtItsDeadlineAlsoAtTheDoor() {
    RequestQueue queue = queue(QueuePolicy.DEFAULT);
    assertThat(queue.offer(request().deadlineNs(T0 + 3 * MS).build(), T0)).isNull();
    assertThat(queue.offer(request().build(), T0)).isNull();

    queue.expire(T0 + 3 * MS - 1, rejected);
    assertThat(rejected).isEmpty();
    queue.expire(T0 + 3 * MS, rejected);
    assertThat(rejected).hasSize(1);
    assertThat(rejected.get(0).failure().code()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
    queue.expire(T0 + Long.MAX_VALUE / 2, rejected);
    assertThat(queue.requests()).as("no deadline, no timeout").isEqualTo(1);

    assertThat(queue.offer(request().deadlineNs(T0 + 1).build(), T0)).isNull();
    assertThat(queue.offer(request().deadlineNs(T0).build(), T0).code())
        .isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
  }

  @Test
  void shouldTellOfEveryChangeOfLevelAlsoWhenADelayEndsTheStayAtAHigherOne() {
    QueuePolicy delay = new QueuePolicy(TimeoutAction.DELAY, FIVE_MS, false, 0);
    ServiceLevel ageing =
        new ServiceLevel(
            Duration.ZERO, 99, ServiceLevel.PriorityClass.STANDARD, Duration.ofMillis(2));
    RequestQueue queue =
        new RequestQueue(
            "m",
            new DynamicBatching(List.of(), Duration.ZERO, false, 2, 2, delay, Map.of()),
            ageing,
            0);
    List<Integer> levels = new ArrayList<>();
    queue.tellOfAgeing((request, level) -> levels.add(level));
    assertThat(queue.offer(request().priority(2).build(), T0)).isNull();

    assertThat(queue.age(T0 + 2 * MS - 1)).isFalse();
    assertThat(queue.age(T0 + 2 * MS)).isTrue();
    assertThat(levels).containsExactly(1);
    assertThat(queue.expire(T0 + 5 * MS, rejected)).isTrue();
    assertThat(levels).as("and back").containsExactly(1, 2);
    assertThat(queue.age(T0 + 5 * MS)).isTrue();
    assertThat(levels).containsExactly(1, 2, 1);
    assertThat(rejected).isEmpty();
    assertThat(queue.requests()).isEqualTo(1);
  }

  @Test
  void shouldRunDelayedRequestsAfterTheOthersOfTheirLevelAndBeforeLowerOnes() {
    QueuePolicy delay = new QueuePolicy(TimeoutAction.DELAY, FIVE_MS, false, 3);
    RequestQueue queue =
        new RequestQueue(
            "m",
            new DynamicBatching(List.of(), Duration.ZERO, false, 2, 2, delay, Map.of()),
            ServiceLevel.DEFAULT,
            0);
    InferenceRequest low = request().priority(2).build();
    InferenceRequest old = request().priority(1).deadlineNs(T0 + 9 * MS).build();
    InferenceRequest fresh = request().priority(1).build();
    assertThat(queue.offer(old, T0)).isNull();
    assertThat(queue.offer(fresh, T0 + MS)).isNull();
    assertThat(queue.offer(low, T0 + MS)).isNull();

    assertThat(order(queue)).containsExactly(old, fresh, low);
    assertThat(queue.expire(T0 + 5 * MS, rejected)).isTrue();
    assertThat(order(queue)).containsExactly(fresh, old, low);
    assertThat(queue.requests()).isEqualTo(3);
    assertThat(queue.offer(request().priority(1).build(), T0 + 5 * MS)).isNull();
    assertThat(queue.offer(request().priority(1).build(), T0 + 5 * MS))
        .as("the delayed one counts")
        .isNotNull();

    queue.expire(T0 + 9 * MS, rejected);
    assertThat(rejected).extracting(Rejection::request).containsExactly(old);
  }

  @Test
  void shouldKeepTheOrderOfArrivalWhenOrderingIsPreservedOnlyWhereThereIsAnObjective() {
    assertThat(isLowerLevelFirst(ServiceLevel.DEFAULT)).as("as Triton does").isFalse();
    ServiceLevel promised =
        new ServiceLevel(
            Duration.ofMillis(100), 99, ServiceLevel.PriorityClass.STANDARD, Duration.ZERO);
    assertThat(isLowerLevelFirst(promised)).isTrue();
  }

  private boolean isLowerLevelFirst(ServiceLevel level) {
    QueuePolicy delay = new QueuePolicy(TimeoutAction.DELAY, FIVE_MS, false, 0);
    RequestQueue queue =
        new RequestQueue(
            "m",
            new DynamicBatching(List.of(), Duration.ZERO, true, 2, 2, delay, Map.of()),
            level,
            0);
    InferenceRequest low = request().priority(2).arrivalNs(T0).build();
    assertThat(queue.offer(low, T0)).isNull();
    assertThat(queue.offer(request().priority(1).arrivalNs(T0 + MS).build(), T0 + MS)).isNull();
    return order(queue).get(0) == low;
  }

  @Test
  void shouldGrowWhileItsHeadIsAnywhereAndKeepTheOrder() {
    RequestQueue queue = queue(QueuePolicy.DEFAULT);
    List<InferenceRequest> expected = new ArrayList<>();
    for (int i = 0; i < 13; i++) {
      assertThat(queue.offer(request().build(), T0)).isNull();
    }
    queue.removeFirst(13, new ArrayList<>());
    for (int i = 0; i < 40; i++) {
      InferenceRequest request = request().build();
      expected.add(request);
      assertThat(queue.offer(request, T0)).isNull();
    }

    assertThat(order(queue)).containsExactlyElementsOf(expected);
    TestRequests.cancel(expected.remove(20));
    TestRequests.cancel(expected.remove(0));
    assertThat(queue.removeDone(rejected)).isTrue();
    assertThat(queue.removeDone(rejected)).isFalse();
    assertThat(order(queue)).containsExactlyElementsOf(expected);
    assertThat(rejected).hasSize(2);
  }

  private static RequestQueue queue(QueuePolicy policy) {
    return new RequestQueue(
        "m",
        new DynamicBatching(List.of(), Duration.ZERO, false, 0, 0, policy, Map.of()),
        ServiceLevel.DEFAULT,
        0);
  }

  private static List<InferenceRequest> order(RequestQueue queue) {
    List<InferenceRequest> order = new ArrayList<>();
    queue.rewind();
    InferenceRequest next = queue.next();
    while (next != null) {
      order.add(next);
      next = queue.next();
    }
    return order;
  }
}
