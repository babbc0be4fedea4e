package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LoadRunTest {

  private static final Duration SHORT = Duration.ofMillis(400);

  private final Vertx vertx = Vertx.vertx();

  @AfterEach
  void close() throws Exception {
    vertx.close().await(60, TimeUnit.SECONDS);
  }

  @Test
  void shouldNeverHaveMoreInFlightThanTheConcurrency() throws Exception {
    AtomicInteger inFlight = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    LoadClient client =
        n -> {
          most.accumulateAndGet(inFlight.incrementAndGet(), Math::max);
          Promise<Void> answer = Promise.promise();
          vertx.setTimer(
              1,
              t -> {
                inFlight.decrementAndGet();
                answer.complete();
              });
          return answer.future();
        };

    LoadPoint point = run(new LoadPattern.Closed(3), new Lane("a", client, 2));

    assertThat(most).hasValue(3);
    assertThat(inFlight).hasValue(0);
    assertThat(point.inferences()).isPositive().isEven();
    assertThat(point.lanes().get(0).latencyNs().getTotalCount() * 2).isEqualTo(point.inferences());
  }

  @Test
  void shouldSurviveAClientThatAnswersAtOnce() throws Exception {
    LoadPoint point =
        run(new LoadPattern.Closed(1), new Lane("a", n -> Future.succeededFuture(), 1));

    assertThat(point.inferences()).isPositive();
  }

  @Test
  void shouldCountFailuresOfOneModelBesideAnswersOfAnother() throws Exception {
    LoadPoint point =
        run(
            new LoadPattern.Closed(2),
            new Lane("good", n -> vertx.timer(1).mapEmpty(), 1),
            new Lane("bad", n -> Future.failedFuture(new LoadException("refused")), 1));

    assertThat(point.lanes().get(0).failures()).isZero();
    assertThat(point.lanes().get(1).answered()).isZero();
    assertThat(point.errors()).containsOnlyKeys("refused");
    assertThat(point.failures()).isPositive();
  }

  @Test
  void shouldSendByTheTimetableThoughNothingIsAnsweredInAnOpenLoop() throws Exception {
    List<Promise<Void>> held = new ArrayList<>();
    LoadClient client =
        n -> {
          Promise<Void> answer = Promise.promise();
          held.add(answer);
          if (held.size() == 20) {
            vertx.runOnContext(v -> held.forEach(Promise::tryComplete));
          } else if (held.size() > 20) {
            answer.complete();
          }
          return answer.future();
        };

    LoadPoint point = run(new LoadPattern.Open(2_000), new Lane("a", client, 1));

    assertThat(held).hasSizeGreaterThanOrEqualTo(20);
    assertThat(point.failures()).isZero();
    assertThat(point.lanes().get(0).lateNs().getTotalCount()).isPositive();
  }

  @Test
  void shouldReadCpuTimeAtBothEndsOfTheWindow() throws Exception {
    AtomicInteger reads = new AtomicInteger();
    LoadPlan plan =
        new LoadPlan(
            new LoadPattern.Closed(1),
            SHORT,
            SHORT,
            () -> OptionalDouble.of(reads.incrementAndGet() * 1.5),
            CpuClock.UNKNOWN,
            1);

    LoadPoint point =
        LoadRun.start(vertx, List.of(new Lane("a", n -> vertx.timer(1).mapEmpty(), 1)), plan)
            .await(60, TimeUnit.SECONDS);

    assertThat(reads).hasValue(2);
    assertThat(point.serverCpuSeconds()).hasValue(1.5);
    assertThat(point.clientCpuSeconds()).isEmpty();
  }

  private LoadPoint run(LoadPattern pattern, Lane... lanes) throws Exception {
    return LoadRun.start(
            vertx,
            List.of(lanes),
            new LoadPlan(pattern, SHORT, SHORT, CpuClock.UNKNOWN, CpuClock.UNKNOWN, 1))
        .await(60, TimeUnit.SECONDS);
  }
}
