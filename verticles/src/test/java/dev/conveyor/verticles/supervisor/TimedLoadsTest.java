package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class TimedLoadsTest {

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();
  private final TimedLoads loads = new TimedLoads(vertx, 1, 1500);
  private final CompletableFuture<String> thrownAway = new CompletableFuture<>();

  @AfterEach
  void close() {
    TestServer.await(vertx.close());
  }

  @Test
  void shouldGiveUpALoadThatDoesNotEndAndGoOnWithTheNext() throws Exception {
    CountDownLatch back = new CountDownLatch(1);
    Future<String> stuck =
        run(
            "a",
            () -> {
              back.await();
              return "late";
            });
    Future<String> next = run("b", () -> "loaded");

    assertThat(TestServer.await(next)).isEqualTo("loaded");
    assertThatThrownBy(() -> TestServer.await(stuck))
        .hasMessageContaining("did not end within 1500 ms (limits.load_timeout_ms)");
    assertThatThrownBy(() -> TestServer.await(run("a", () -> "again")))
        .as("one thread that does not come back is enough")
        .hasRootCauseInstanceOf(LoadTimeoutException.class)
        .hasMessageContaining("has not come back yet");
    assertThat(TestServer.await(run("b", () -> "others do"))).isEqualTo("others do");

    back.countDown();
    assertThat(thrownAway.get()).isEqualTo("late");
    // What is thrown away is thrown away by the thread that comes back, a little before it has.
    String again = TestServer.await(run("a", () -> "again").otherwise("not yet"));
    while (again.equals("not yet")) {
      again = TestServer.await(run("a", () -> "again").otherwise("not yet"));
    }
    assertThat(again).isEqualTo("again");
  }

  @Test
  void shouldTellWhyALoadFailed() {
    Future<String> failing =
        run(
            "a",
            () -> {
              throw new IllegalStateException("no such file");
            });
    assertThatThrownBy(() -> TestServer.await(failing)).hasMessageContaining("no such file");
    assertThat(TestServer.await(run("a", () -> "again"))).isEqualTo("again");
  }

  private Future<String> run(String model, Callable<String> load) {
    Promise<String> done = Promise.promise();
    context.runOnContext(
        v -> {
          Future<Void> unused =
              loads.run(model, load, thrownAway::complete).onComplete(done).mapEmpty();
        });
    return done.future();
  }
}
