package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class MetricsFrontEndTest {

  private final Vertx vertx = Vertx.vertx();
  private final HttpClient client = HttpClient.newHttpClient();

  @AfterEach
  void close() {
    vertx.close().await();
  }

  @Test
  void shouldServeTheReport() throws Exception {
    int port = deploy(() -> "# HELP a \u00e9\n# TYPE a gauge\na 1\n");
    HttpResponse<String> response = send(port, "/metrics", "GET");
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type"))
        .hasValue("text/plain; version=0.0.4; charset=utf-8");
    assertThat(response.body()).isEqualTo("# HELP a \u00e9\n# TYPE a gauge\na 1\n");
  }

  @Test
  void shouldAnswerAFailedReportWith500AndServeTheNext() throws Exception {
    boolean[] fails = {true};
    int port =
        deploy(
            () -> {
              if (fails[0]) {
                throw new IllegalStateException("no figures");
              }
              return "a 1\n";
            });
    assertThat(send(port, "/metrics", "GET").statusCode()).isEqualTo(500);
    fails[0] = false;
    assertThat(send(port, "/metrics", "GET").statusCode()).isEqualTo(200);
  }

  @Test
  void shouldRefuseOtherPathsAndMethods() throws Exception {
    int port = deploy(() -> "a 1\n");
    assertThat(send(port, "/", "GET").statusCode()).isEqualTo(404);
    assertThat(send(port, "/metrics", "POST").statusCode()).isEqualTo(405);
    HttpResponse<String> head = send(port, "/metrics", "HEAD");
    assertThat(head.statusCode()).isEqualTo(200);
    assertThat(head.body()).isEmpty();
  }

  private int deploy(Supplier<String> report) {
    MetricsFrontEnd frontEnd = new MetricsFrontEnd("127.0.0.1", 0, report);
    vertx.deployVerticle(frontEnd).await();
    return frontEnd.actualPort();
  }

  private HttpResponse<String> send(int port, String path, String method)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .timeout(Duration.ofSeconds(60))
            .method(method, BodyPublishers.noBody())
            .build(),
        BodyHandlers.ofString());
  }
}
