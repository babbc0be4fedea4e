package dev.conveyor.verticles.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PassTest {

  private static final List<DemoImage> IMAGES =
      List.of(image("a"), image("b"), image("c"), image("d"), image("e"));

  private final Vertx vertx = Vertx.vertx();
  private final List<String> sent = new ArrayList<>();
  private int underWay;
  private int mostUnderWay;

  @AfterEach
  void closeVertx() throws Exception {
    get(vertx.close());
  }

  @Test
  void shouldSendEveryImageOnceARoundInGroups() throws Exception {
    PassResult result = get(Pass.run(vertx, IMAGES, 2, 3, 2, this::answerLater));

    assertThat(sent).containsExactly("abc", "dea", "bcd", "e");
    assertThat(mostUnderWay).isEqualTo(2);
    assertThat(result.images()).isEqualTo(10);
    assertThat(result.latencyNs().getTotalCount()).isEqualTo(10);
    assertThat(result.imagesPerSecond()).isPositive();
  }

  @Test
  void shouldSendOneAtATimeWhenOneIsAllowed() throws Exception {
    PassResult result = get(Pass.run(vertx, IMAGES, 1, 1, 1, this::answerLater));

    assertThat(sent).containsExactly("a", "b", "c", "d", "e");
    assertThat(mostUnderWay).isEqualTo(1);
    assertThat(result.images()).isEqualTo(5);
  }

  @Test
  void shouldFailAndSendNoMoreWhenARequestFails() {
    CompletableFuture<PassResult> result =
        Pass.run(
                vertx,
                IMAGES,
                1,
                1,
                1,
                (number, group) -> {
                  sent.add(group.get(0).file());
                  return Future.failedFuture(new DemoException("refused"));
                })
            .toCompletionStage()
            .toCompletableFuture();

    assertThat(result)
        .failsWithin(60, TimeUnit.SECONDS)
        .withThrowableThat()
        .withMessageContaining("refused");
    assertThat(sent).containsExactly("a");
  }

  private Future<List<Verdict>> answerLater(int number, List<DemoImage> group) {
    assertThat(number).isEqualTo(sent.size());
    StringBuilder names = new StringBuilder();
    group.forEach(image -> names.append(image.file()));
    sent.add(names.toString());
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    Promise<List<Verdict>> answer = Promise.promise();
    vertx
        .getOrCreateContext()
        .runOnContext(
            v -> {
              underWay--;
              answer.complete(List.of());
            });
    return answer.future();
  }

  private static DemoImage image(String name) {
    return new DemoImage(name, "clean", Buffer.buffer());
  }

  private static <T> T get(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }
}
