package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What happens to requests that wait: too many, too long, given up, in order. */
final class QueueTest extends ServerCase {

  private static final int WIDTH = 8192;
  private static final int ORDERED = 300;
  private static final byte[] NONE = new byte[0];

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir).identity("one", 4).identity("wide", WIDTH).identity("ordered", 4);
    models.config(
        "one",
        """
        {"max_batch_size": 1, "parameters": {"test_gate": {"string_value": "one"}},
         "dynamic_batching": {"default_queue_policy":
           {"max_queue_size": 1, "allow_timeout_override": true}}}""");
    models.config(
        "wide",
        """
        {"max_batch_size": 1, "parameters": {"test_gate": {"string_value": "wide"}}}""");
    models.config(
        "ordered",
        """
        {"max_batch_size": 4, "instance_group": [{"kind": "KIND_CPU", "count": 2}],
         "dynamic_batching": {"preserve_ordering": true}}""");
    serve(models);
  }

  @Test
  void shouldRefuseAtOnceWhenTheQueueIsFull() throws Exception {
    List<CompletableFuture<Answer>> taken = new ArrayList<>();
    try (Gate gate = Gate.shut("one")) {
      taken.add(http.inferAsync("one", Requests.row(1, 2, 3, 4), NONE));
      gate.awaitArrival();
      taken.add(http.inferAsync("one", Requests.row(2, 2, 3, 4), NONE));
      server.awaitQueued("one", 1);

      // The gate is still closed: nothing but a refusal can come back.
      Answer refused = http.infer("one", Requests.row(3, 2, 3, 4));
      assertThat(refused.status()).isEqualTo(503);
      assertThat(refused.header("Retry-After")).isEqualTo("1");
      assertThat(refused.error()).contains("exceeds maximum queue size");
    }
    for (CompletableFuture<Answer> answer : taken) {
      assertThat(answer.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldAnswerWhenTheTimeOfAQueuedRequestIsOver() throws Exception {
    CompletableFuture<Answer> running;
    try (Gate gate = Gate.shut("one")) {
      running = http.inferAsync("one", Requests.row(1, 2, 3, 4), NONE);
      gate.awaitArrival();
      JsonObject impatient =
          Requests.row(2, 2, 3, 4).put("parameters", new JsonObject().put("timeout", 1000));
      Answer answer = http.infer("one", impatient);
      assertThat(answer.status()).as(answer::text).isEqualTo(504);
    }
    assertThat(running.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
  }

  @Test
  void shouldForgetAQueuedRequestWhoseClientWentAway() throws Exception {
    CompletableFuture<Answer> running;
    try (Gate gate = Gate.shut("wide")) {
      byte[] data = Requests.counting(1, WIDTH);
      running = http.inferAsync("wide", Requests.binary(WIDTH, "INPUT0"), data);
      gate.awaitArrival();
      long oneRequest = server.server().requestMemory().leasedBytes();
      assertThat(oneRequest).isPositive();
      RawConnection client = new RawConnection(server.httpPort());
      sendWide(client, 4 * WIDTH);
      server.awaitQueued("wide", 1);
      assertThat(server.server().requestMemory().leasedBytes()).isEqualTo(2 * oneRequest);
      client.reset();
      server.awaitQueued("wide", 0);
      server.awaitScheduler(now -> server.server().requestMemory().leasedBytes() == oneRequest);
    }
    assertThat(running.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
  }

  @Test
  void shouldForgetAQueuedRequestWhoseHttp2StreamIsReset() throws Exception {
    HttpClient http2 =
        server
            .vertx()
            .createHttpClient(
                new HttpClientOptions()
                    .setProtocolVersion(HttpVersion.HTTP_2)
                    .setHttp2ClearTextUpgrade(false));
    CompletableFuture<Answer> running;
    try (Gate gate = Gate.shut("wide")) {
      byte[] data = Requests.counting(1, WIDTH);
      running = http.inferAsync("wide", Requests.binary(WIDTH, "INPUT0"), data);
      gate.awaitArrival();
      long oneRequest = server.server().requestMemory().leasedBytes();
      byte[] json = Requests.binary(WIDTH, "INPUT0").toBuffer().getBytes();
      HttpClientRequest given =
          TestServer.await(
              http2.request(
                  HttpMethod.POST, server.httpPort(), "127.0.0.1", "/v2/models/wide/infer"));
      given.putHeader("Inference-Header-Content-Length", Integer.toString(json.length));
      given.end(Buffer.buffer(HttpCalls.concat(json, data)));
      server.awaitQueued("wide", 1);

      given.reset();

      server.awaitQueued("wide", 0);
      server.awaitScheduler(now -> server.server().requestMemory().leasedBytes() == oneRequest);
      // Only the stream is gone, not the connection.
      assertThat(
              TestServer.await(
                      http2
                          .request(
                              HttpMethod.GET, server.httpPort(), "127.0.0.1", "/v2/health/live")
                          .compose(HttpClientRequest::send))
                  .statusCode())
          .isEqualTo(200);
    }
    assertThat(running.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    TestServer.await(http2.close());
  }

  @Test
  void shouldNotMindAClientThatGoesAwayWhileItsRequestRuns() throws Exception {
    try (Gate gate = Gate.shut("wide")) {
      RawConnection client = new RawConnection(server.httpPort());
      sendWide(client, 4 * WIDTH);
      gate.awaitArrival();
      client.reset();
    }
    Answer next = http.infer("wide", Requests.binary(WIDTH, "INPUT0"), new byte[4 * WIDTH]);
    assertThat(next.status()).isEqualTo(200);
  }

  @Test
  void shouldGiveTheMemoryBackWhenAClientGoesAwayInItsBody() throws IOException {
    RawConnection client = new RawConnection(server.httpPort());
    sendWide(client, 5000);
    server.awaitScheduler(now -> server.server().requestMemory().leasedBytes() > 0);
    client.reset();
    server.awaitScheduler(now -> server.server().requestMemory().leasedBytes() == 0);
  }

  @Test
  void shouldAnswerInTheOrderOfTheRequests() {
    InferenceClient client = InferenceClient.create(server.vertx());
    List<Float> order = Collections.synchronizedList(new ArrayList<>());
    Context context = server.vertx().getOrCreateContext();
    List<Future<?>> answers = new ArrayList<>();
    Future<Void> sent =
        Future.future(
            promise ->
                context.runOnContext(
                    v -> {
                      for (int i = 0; i < ORDERED; i++) {
                        Tensor row = Requests.tensor("INPUT0", i, 2, 3, 4);
                        answers.add(
                            client
                                .infer("ordered", List.of(row))
                                .onSuccess(
                                    answer ->
                                        order.add(answer.outputs().get(0).data().getFloat(0))));
                      }
                      promise.complete();
                    }));
    TestServer.await(sent);
    TestServer.await(Future.all(answers));
    assertThat(order)
        .containsExactlyElementsOf(IntStream.range(0, ORDERED).mapToObj(i -> (float) i).toList());
  }

  /** Sends a whole head and {@code bytes} of the tensor. */
  private static void sendWide(RawConnection client, int bytes) throws IOException {
    byte[] json = Requests.binary(WIDTH, "INPUT0").toBuffer().getBytes();
    client.send(
        """
        POST /v2/models/wide/infer HTTP/1.1\r
        host: x\r
        inference-header-content-length: %d\r
        content-length: %d\r
        \r
        """
            .formatted(json.length, json.length + 4 * WIDTH));
    client.send(json).send(new byte[bytes]);
  }
}
