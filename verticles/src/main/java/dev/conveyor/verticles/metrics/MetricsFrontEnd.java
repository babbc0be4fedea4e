package dev.conveyor.verticles.metrics;

import dev.conveyor.verticles.Listening;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Actor that answers {@code GET /metrics} on a port of its own.
 *
 * <p>Runs on one event loop and renders on a worker thread, so that a big scrape delays nobody.
 * Scrapes that arrive while one is being rendered share its result: however many ask, one thread
 * works.
 */
public final class MetricsFrontEnd extends VerticleBase {

  private static final Logger LOG = LoggerFactory.getLogger(MetricsFrontEnd.class);

  private final String host;
  private final int port;
  private final Supplier<String> report;
  private volatile int actualPort;
  private @Nullable HttpServer server;
  private @Nullable Future<Buffer> rendering;

  /**
   * Creates the front end.
   *
   * @param port 0 takes a free one
   * @param report the text of one scrape, in Prometheus' format 0.0.4; called on worker threads
   */
  public MetricsFrontEnd(String host, int port, Supplier<String> report) {
    this.host = host;
    this.port = port;
    this.report = report;
  }

  @Override
  public Future<?> start() {
    HttpServerOptions options =
        new HttpServerOptions()
            .setHost(host)
            .setPort(port)
            .setCompressionSupported(true)
            // Clients of the JDK that ask for HTTP/2 lose their place in it; see NoUpgrade.
            .setHttp2ClearTextEnabled(false)
            .setIdleTimeout(120);
    HttpServer http = vertx.createHttpServer(options).requestHandler(this::onRequest);
    server = http;
    return Listening.at("metrics", host, port, http.listen())
        .onSuccess(s -> actualPort = s.actualPort());
  }

  @Override
  public Future<?> stop() {
    return server == null ? Future.succeededFuture() : server.close();
  }

  /** Returns the port it listens on, once deployed. */
  public int actualPort() {
    return actualPort;
  }

  private void onRequest(HttpServerRequest request) {
    if (!"/metrics".equals(request.path())) {
      request.response().setStatusCode(404).end("not found; metrics are at /metrics\n");
    } else if (!HttpMethod.GET.equals(request.method())
        && !HttpMethod.HEAD.equals(request.method())) {
      request.response().setStatusCode(405).putHeader("Allow", "GET, HEAD").end();
    } else {
      render().onComplete(text -> answer(request, text), e -> refuse(request, e));
    }
  }

  private Future<Buffer> render() {
    Future<Buffer> shared = rendering;
    if (shared == null) {
      shared =
          vertx
              .executeBlocking(() -> Buffer.buffer(report.get()), false)
              .map(Objects::requireNonNull);
      // In this order: a report that is done already clears the field at once.
      rendering = shared;
      shared.onComplete(done -> rendering = null);
    }
    return shared;
  }

  private static void answer(HttpServerRequest request, Buffer text) {
    request.response().putHeader("Content-Type", PrometheusText.CONTENT_TYPE);
    if (HttpMethod.HEAD.equals(request.method())) {
      request.response().putHeader("Content-Length", Integer.toString(text.length())).end();
    } else {
      request.response().end(text);
    }
  }

  private static void refuse(HttpServerRequest request, Throwable failure) {
    LOG.warn("Could not render metrics", failure);
    request.response().setStatusCode(500).end("could not render metrics, see the log\n");
  }
}
