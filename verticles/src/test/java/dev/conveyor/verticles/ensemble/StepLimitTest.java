package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.ensemble.StepLimit.Entry;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class StepLimitTest {

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();
  private final BlockingQueue<Integer> begun = new LinkedBlockingQueue<>();

  @AfterEach
  void close() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }

  @Test
  void shouldRefuseAtItsBoundAndTakeAgainOnceThereIsRoom() throws InterruptedException {
    StepLimit limit = new StepLimit(2);
    assertThat(enter(limit, 0)).isEqualTo(Entry.RUNS);
    assertThat(enter(limit, 1)).isEqualTo(Entry.RUNS);
    for (int i = 0; i < StepLimit.MAX_WAITING; i++) {
      assertThat(enter(limit, 2 + i)).isEqualTo(Entry.WAITS);
    }
    assertThat(enter(limit, -1)).isEqualTo(Entry.FULL);
    assertThat(enter(limit, -1)).isEqualTo(Entry.FULL);
    assertThat(begun).isEmpty();

    limit.leave();
    assertThat(next()).as("the first that waited").isEqualTo(2);
    assertThat(enter(limit, 99)).as("its place").isEqualTo(Entry.WAITS);
    assertThat(enter(limit, -1)).isEqualTo(Entry.FULL);
    limit.leave();
    assertThat(next()).isEqualTo(3);
  }

  @Test
  void shouldPassOverThoseThatAreOverAndForgetNobody() throws InterruptedException {
    StepLimit limit = new StepLimit(1);
    assertThat(limit.isFree()).isTrue();
    assertThat(enter(limit, 0)).isEqualTo(Entry.RUNS);
    assertThat(limit.isFree()).isFalse();
    ReplyTo gone = reply();
    assertThat(limit.enter(gone, () -> begun.add(1))).isEqualTo(Entry.WAITS);
    assertThat(enter(limit, 2)).isEqualTo(Entry.WAITS);
    assertThat(gone.fail(new InferenceException(ErrorCode.CANCELLED, "gone"))).isTrue();

    limit.leave();
    assertThat(next()).isEqualTo(2);
    limit.leave();
    assertThat(limit.isFree()).isTrue();
    assertThat(enter(limit, 3)).as("nobody is under way").isEqualTo(Entry.RUNS);
    assertThat(enter(limit, 4)).isEqualTo(Entry.WAITS);
  }

  private Entry enter(StepLimit limit, int number) {
    return limit.enter(reply(), () -> begun.add(number));
  }

  private ReplyTo reply() {
    return new ReplyTo(context, (response, failure) -> {});
  }

  private Integer next() throws InterruptedException {
    return begun.poll(60, TimeUnit.SECONDS);
  }
}
