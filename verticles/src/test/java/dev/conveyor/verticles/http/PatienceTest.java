package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Context;
import io.vertx.core.Promise;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Clients that send slowly, or nothing, at a server that waits 700 ms for them. */
final class PatienceTest extends ServerCase {

  private static final int WIDTH = 224 * 224 * 3;
  private static final long SECOND_NS = 1_000_000_000;
  private static final int REQUEST_MEMORY = 4 << 20;
  private static final String LIVE = "GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n";

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir).identity("wide", WIDTH),
        new JsonObject()
            .put(
                "limits",
                new JsonObject()
                    .put("max_message_bytes", 2 << 20)
                    .put("request_memory_bytes", REQUEST_MEMORY)
                    .put("body_timeout_ms", 700)));
  }

  @Test
  void shouldLoseItsPatienceWithABodyThatDoesNotCome() throws IOException {
    try (RawConnection client = new RawConnection(server.httpPort())) {
      client.send(Requests.head(WIDTH, "wide", "")).send(new byte[1000]);
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 408 Request Timeout");
      client.awaitClose();
    }
  }

  @Test
  void shouldLoseItsPatienceWithAHeadThatComesByteByByte() throws Exception {
    try (RawConnection client = new RawConnection(server.httpPort())) {
      client.send(LIVE);
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 200 OK");
      client.answer();
      sendAHeadUntilItIsCut(client);
    }
  }

  @Test
  void shouldLoseItsPatienceWithAFirstHeadThatComesByteByByte() throws Exception {
    try (RawConnection client = new RawConnection(server.httpPort())) {
      sendAHeadUntilItIsCut(client);
    }
  }

  private static void sendAHeadUntilItIsCut(RawConnection client) throws IOException {
    client.send("GET /v2/health/live HTTP/1.1\r\nx-slow: ");
    CompletableFuture<Void> closed = CompletableFuture.runAsync(client::awaitClose);
    long untilNs = System.nanoTime() + 60 * SECOND_NS;
    while (!closed.isDone() && System.nanoTime() - untilNs < 0) {
      client.offer("x");
      Thread.onSpinWait();
    }
    assertThat(closed).as("within 700 ms, however many bytes come").isDone();
  }

  @Test
  void shouldLoseItsPatienceWithAConnectionThatSendsNothing() throws IOException {
    try (RawConnection client = new RawConnection(server.httpPort())) {
      client.awaitClose();
    }
    HttpCalls metrics = new HttpCalls(server.server().metricsPort());
    long untilNs = System.nanoTime() + 60 * SECOND_NS;
    String told = "decision=\"client_cut\",reason=\"no_request\"";
    while (!metrics.get("/metrics").text().contains(told)) {
      assertThat(System.nanoTime() - untilNs).as("it is counted").isNegative();
    }
  }

  @Test
  void shouldHavePatienceWithAConnectionOverHttp2() {
    Context context = server.vertx().getOrCreateContext();
    HttpClient client =
        server
            .vertx()
            .createHttpClient(
                new HttpClientOptions()
                    .setProtocolVersion(HttpVersion.HTTP_2)
                    .setHttp2ClearTextUpgrade(false));
    Set<HttpConnection> used = new HashSet<>();
    long untilNs = System.nanoTime() + 3 * SECOND_NS;
    while (System.nanoTime() - untilNs < 0) {
      used.add(live(context, client));
    }
    assertThat(used).as("connections, in four times 700 ms").hasSize(1);
    TestServer.await(client.close());
  }

  /** Asks on one event loop: from another thread the answer could be over before. */
  private static HttpConnection live(Context context, HttpClient client) {
    Promise<HttpConnection> used = Promise.promise();
    context.runOnContext(
        v ->
            client
                .request(HttpMethod.GET, server.httpPort(), "127.0.0.1", "/v2/health/live")
                .compose(
                    request ->
                        request
                            .send()
                            .compose(
                                answer -> {
                                  assertThat(answer.version()).isEqualTo(HttpVersion.HTTP_2);
                                  return answer.body();
                                })
                            .map(body -> request.connection()))
                .onComplete(used));
    return TestServer.await(used.future());
  }

  @Test
  void shouldLoseItsPatienceWithWhoWaitsForMemory() throws IOException {
    var memory = server.server().requestMemory();
    try (var most = memory.heapShare();
        RawConnection client = new RawConnection(server.httpPort())) {
      assertThat(most.growTo(REQUEST_MEMORY * 9L / 10)).isTrue();
      client.send(Requests.head(WIDTH, "wide", ""));
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 408 Request Timeout");
      assertThat(memory.waiters()).isZero();
    }
  }
}
