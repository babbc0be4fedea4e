package dev.conveyor.verticles.page;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class LivePageTest {

  private final Vertx vertx = Vertx.vertx();
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private int port;

  @AfterEach
  void close() {
    vertx.close().await();
  }

  @Test
  void shouldServeThePageWithAPolicyThatForbidsOtherHosts() throws Exception {
    serve(page(JsonObject::new));
    List<String> paths = new ArrayList<>(List.of("/", "/page/page.css", "/page/icon.svg"));
    LivePage.SCRIPTS.forEach(script -> paths.add("/page/" + script));
    for (String path : paths) {
      HttpResponse<String> response = client.send(request(path).build(), BodyHandlers.ofString());
      assertThat(response.statusCode()).as(path).isEqualTo(200);
      assertThat(response.headers().firstValue("Content-Security-Policy").orElseThrow())
          .contains("default-src 'none'");
      assertThat(response.body().replace("http://www.w3.org/2000/svg", ""))
          .as(path)
          .isNotEmpty()
          .doesNotContain("http://", "https://", "innerHTML");
    }
  }

  @Test
  void shouldSendTheHistoryFirstAndThenEverySample() throws Exception {
    LivePage page = page(new Counter());
    serve(page);
    vertx.deployVerticle(page).await();
    try (Stream<String> lines = events().body()) {
      List<String> first = lines.limit(9).toList();
      assertThat(first.get(0)).isEqualTo("event: history");
      assertThat(first.get(1)).isEqualTo("data: {\"models\":[]}");
      assertThat(first.get(3)).isEqualTo("event: sample");
      assertThat(first.get(6)).isEqualTo("event: sample");
      assertThat(sample(first.get(7))).isEqualTo(sample(first.get(4)) + 1);
    }
  }

  @Test
  void shouldRefuseBrowsersBeyondTheLimitAndBeforeItIsDeployed() throws Exception {
    LivePage page = page(new Counter(), 60_000);
    serve(page);
    assertThat(events().statusCode()).isEqualTo(503);

    vertx.deployVerticle(page).await();
    List<HttpResponse<Stream<String>>> open = new ArrayList<>();
    for (int i = 0; i < LivePage.MAX_STREAMS; i++) {
      open.add(events());
      assertThat(open.get(i).statusCode()).isEqualTo(200);
    }
    assertThat(events().statusCode()).isEqualTo(503);
    assertThat(page.streamCount()).isEqualTo(LivePage.MAX_STREAMS);
    open.forEach(response -> response.body().close());
  }

  @Test
  void shouldEndStreamsWhenItIsUndeployed() throws Exception {
    LivePage page = page(new Counter());
    serve(page);
    String id = vertx.deployVerticle(page).await();
    HttpResponse<Stream<String>> response = events();
    vertx.undeploy(id).await();
    assertThat(response.body().toList()).startsWith("event: history");
  }

  @Test
  void shouldKeepSamplingWhenOneSampleFails() throws Exception {
    Counter counter = new Counter();
    LivePage page =
        page(
            () -> {
              JsonObject sample = counter.get();
              if (sample.getInteger("n") == 1) {
                throw new IllegalStateException("no figures");
              }
              return sample;
            });
    serve(page);
    vertx.deployVerticle(page).await();
    try (Stream<String> lines = events().body()) {
      assertThat(lines.anyMatch(line -> line.equals("data: {\"n\":2}"))).isTrue();
    }
  }

  @Test
  void shouldGiveUpABrowserThatDoesNotRead() throws Exception {
    Promise<Void> givenUp = Promise.promise();
    LivePage[] page = new LivePage[1];
    boolean[] connected = {false};
    String big = "x".repeat(1 << 20);
    page[0] =
        page(
            () -> {
              connected[0] |= page[0].streamCount() == 1;
              if (connected[0] && page[0].streamCount() == 0) {
                givenUp.tryComplete();
              }
              return new JsonObject().put("x", big);
            });
    serve(page[0]);
    vertx.deployVerticle(page[0]).await();
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      String request = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      InputStream in = socket.getInputStream();
      assertThat(in.read()).isEqualTo('H');
      givenUp.future().await();
    }
  }

  @Test
  void shouldNotCompressEvents() throws Exception {
    LivePage page = page(new Counter());
    serve(page);
    vertx.deployVerticle(page).await();
    HttpRequest request = request("/events").header("Accept-Encoding", "gzip").build();
    HttpResponse<Stream<String>> response = client.send(request, BodyHandlers.ofLines());
    try (Stream<String> lines = response.body()) {
      assertThat(lines.findFirst()).hasValue("event: history");
    }
    assertThat(response.headers().firstValue("Content-Type").orElseThrow().toLowerCase(Locale.ROOT))
        .isEqualTo("text/event-stream; charset=utf-8");
  }

  private HttpResponse<Stream<String>> events() throws Exception {
    return client.send(request("/events").build(), BodyHandlers.ofLines());
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(uri(path)).timeout(Duration.ofSeconds(60));
  }

  private URI uri(String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  private void serve(LivePage page) {
    Router router = Router.router(vertx);
    page.mount(router);
    HttpServer server =
        vertx
            .createHttpServer(new HttpServerOptions().setCompressionSupported(true))
            .requestHandler(router)
            .listen(0, "127.0.0.1")
            .await();
    port = server.actualPort();
  }

  private static int sample(String data) {
    return new JsonObject(data.substring("data: ".length())).getInteger("n");
  }

  private static LivePage page(Supplier<JsonObject> samples) {
    return page(samples, 10);
  }

  private static LivePage page(Supplier<JsonObject> samples, long periodMs) {
    return new LivePage(
        new PageSource() {
          @Override
          public JsonObject sample() {
            return samples.get();
          }

          @Override
          public JsonObject history() {
            return new JsonObject().put("models", List.of());
          }
        },
        periodMs);
  }

  private static final class Counter implements Supplier<JsonObject> {
    private int n;

    @Override
    public JsonObject get() {
      return new JsonObject().put("n", n++);
    }
  }
}
