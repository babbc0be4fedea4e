package dev.conveyor.scheduler.rollout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.Rollout;
import dev.conveyor.scheduler.rollout.RolloutGuard.Route;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RolloutGuardTest {

  private static final long MS = 1_000_000;

  /** Half shadowed, a quarter answered; 10 outcomes, 90 % agreement, 10 % errors, twice the p99. */
  private static final Rollout ROLLOUT = new Rollout(2, 0.5, 0.25, 2, 0.05, 0.9, 0.1, 2, 10);

  private final RolloutGuard guard = new RolloutGuard(ROLLOUT);

  private static Map<Route, Integer> routes(RolloutGuard guard, int requests) {
    Map<Route, Integer> routes = new EnumMap<>(Route.class);
    for (int i = 0; i < requests; i++) {
      Route route = guard.route(false);
      routes.merge(route, 1, Integer::sum);
      if (route == Route.SHADOWED || route == Route.CHECKED) {
        guard.shadowEnded();
      }
    }
    return routes;
  }

  @Test
  void shouldKeepTheShares() {
    Map<Route, Integer> routes = routes(guard, 10_000);
    assertThat(routes.get(Route.CHECKED)).isBetween(2490, 2510);
    assertThat(routes.get(Route.SHADOWED)).isBetween(3740, 3760);
    assertThat(guard.state().stableRequests() + guard.state().canaryRequests()).isEqualTo(10_000);
  }

  @Test
  void shouldGiveAllOrNothingAtTheEndsOfTheShares() {
    RolloutGuard all = new RolloutGuard(new Rollout(2, 0, 1, 1, 0, 0, 1, 2, 1));
    assertThat(routes(all, 1000)).containsOnlyKeys(Route.CANARY);
    RolloutGuard copies = new RolloutGuard(new Rollout(2, 1, 0, 1, 0, 0, 1, 2, 1));
    assertThat(routes(copies, 1000)).containsOnlyKeys(Route.SHADOWED);
  }

  @Test
  void shouldDropCopiesAtTheLimitAndWhileRequestsWait() {
    RolloutGuard copies = new RolloutGuard(new Rollout(2, 1, 0, 2, 0, 0, 1, 2, 1));
    assertThat(copies.route(true)).isEqualTo(Route.STABLE);
    assertThat(copies.route(false)).isEqualTo(Route.SHADOWED);
    assertThat(copies.route(false)).isEqualTo(Route.SHADOWED);
    assertThat(copies.route(false)).isEqualTo(Route.STABLE);
    copies.shadowEnded();
    assertThat(copies.route(false)).isEqualTo(Route.SHADOWED);
    assertThat(copies.state().shadows()).isEqualTo(3);
    assertThat(copies.state().shadowsDropped()).isEqualTo(2);
    copies.shadowDropped();
    assertThat(copies.state().shadowsDropped()).isEqualTo(3);
    assertThat(copies.route(false)).as("its place is free").isEqualTo(Route.SHADOWED);
  }

  @Test
  void shouldCheckCanariesWhileNobodyWaitsAndAgreementCounts() {
    RolloutGuard canaries = new RolloutGuard(new Rollout(2, 0, 1, 1, 0, 0.9, 1, 2, 1));
    assertThat(canaries.route(true)).isEqualTo(Route.CANARY);
    assertThat(canaries.route(false)).isEqualTo(Route.CHECKED);
    assertThat(canaries.route(false)).isEqualTo(Route.CANARY);
    canaries.shadowEnded();
    assertThat(canaries.route(false)).isEqualTo(Route.CHECKED);
    assertThat(canaries.state().canaryRequests()).isEqualTo(4);
    RolloutGuard different = new RolloutGuard(new Rollout(2, 0, 1, 1, 0, 0, 1, 2, 1));
    assertThat(different.route(false)).isEqualTo(Route.CANARY);
  }

  @Test
  void shouldRollBackWhenMoreFailThanMayAndNotBefore() {
    for (int i = 0; i < 9; i++) {
      assertThat(guard.candidateAnswered(MS)).isEmpty();
    }
    assertThat(guard.candidateFailed()).isEmpty(); // 1 of 10: exactly what may be
    assertThat(guard.candidateFailed())
        .hasValueSatisfying(r -> assertThat(r).contains("error rate"));
    assertThat(guard.state().active()).isFalse();
    assertThat(routes(guard, 100)).containsOnlyKeys(Route.STABLE);
    assertThat(guard.candidateFailed()).isEmpty(); // told once
  }

  @Test
  void shouldAllowTheErrorsThatTheOtherVersionMakesToo() {
    for (int i = 0; i < 10; i++) {
      guard.stableFailed();
      assertThat(guard.candidateFailed()).isEmpty();
    }
    assertThat(guard.state().active()).isTrue();
  }

  @Test
  void shouldWaitForEnoughOutcomes() {
    for (int i = 0; i < 9; i++) {
      assertThat(guard.candidateFailed()).isEmpty();
    }
    assertThat(guard.candidateFailed()).isPresent();
  }

  @Test
  void shouldRollBackWhenLessAgreesThanMust() {
    for (int i = 0; i < 9; i++) {
      assertThat(guard.compared(true)).isEmpty();
    }
    assertThat(guard.compared(false)).isEmpty(); // 9 of 10: exactly what must
    assertThat(guard.compared(false)).hasValueSatisfying(r -> assertThat(r).contains("agreement"));
    assertThat(guard.state().agreement()).isEqualTo(9 / 11.0);
  }

  @Test
  void shouldRollBackWhenTheSlowestAreSlowerThanMayBe() {
    assertThat(lastOf(10 * MS, 20 * MS)).isEmpty();
    assertThat(lastOf(10 * MS, 20 * MS + 1)).hasValueSatisfying(r -> assertThat(r).contains("p99"));
  }

  private static Optional<String> lastOf(long stableNs, long candidateNs) {
    RolloutGuard guard = new RolloutGuard(ROLLOUT);
    for (int i = 0; i < 10; i++) {
      guard.stableAnswered(stableNs);
    }
    Optional<String> reason = Optional.empty();
    for (int i = 0; i < 10; i++) {
      reason = guard.candidateAnswered(candidateNs);
    }
    return reason;
  }

  @Test
  void shouldNotJudgeLatencyBeforeBothVersionsHaveAnsweredEnough() {
    for (int i = 0; i < 9; i++) {
      guard.stableAnswered(MS);
    }
    for (int i = 0; i < 64; i++) {
      assertThat(guard.candidateAnswered(100 * MS)).isEmpty();
    }
    guard.stableAnswered(MS);
    Optional<String> reason = Optional.empty();
    for (int i = 0; i < RolloutGuard.JUDGE_EVERY && reason.isEmpty(); i++) {
      reason = guard.candidateAnswered(100 * MS);
    }
    assertThat(reason).isPresent();
  }

  @Test
  void shouldForgetOutcomesThatLeaveTheWindow() {
    OutcomeWindow window = new OutcomeWindow(3);
    window.failed();
    window.answered(5);
    window.answered(7);
    assertThat(window.errorRate()).isEqualTo(1 / 3.0);
    assertThat(window.p99Ns()).isEqualTo(7);
    window.answered(1);
    assertThat(window.errorRate()).isZero();
    window.answered(2);
    window.answered(3);
    assertThat(window.p99Ns()).isEqualTo(3);
    assertThat(window.size()).isEqualTo(3);
  }
}
