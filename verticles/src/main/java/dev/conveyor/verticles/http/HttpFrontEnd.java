package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.BodyWatch;
import dev.conveyor.verticles.ConnectionWatch;
import dev.conveyor.verticles.Listening;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Actor that serves the Open Inference Protocol over HTTP.
 *
 * <p>Runs on one event loop; deploy one per event loop and they share the port. Inference takes a
 * short way around the router, because at tens of thousands of requests per second the router is a
 * cost of its own.
 */
public final class HttpFrontEnd extends VerticleBase {

  private static final Logger LOG = LoggerFactory.getLogger(HttpFrontEnd.class);
  private static final String MODELS = "/v2/models/";
  private static final String VERSIONS = "/versions/";
  private static final String INFER = "/infer";

  /** Above what one read takes in, so that the decoder does not cut it up. */
  private static final int MAX_CHUNK_BYTES = 1024 * 1024;

  private final HttpServices services;
  private final HttpFrontEndOptions options;
  private final Consumer<Router> extraRoutes;
  private @Nullable HttpServer server;
  private @Nullable InferHandler infer;
  private @Nullable StreamHandler streams;
  private @Nullable Router router;
  private @Nullable RefusedLane refused;
  private @Nullable BodyWatch heads;
  private int connections;

  /**
   * Creates the actor.
   *
   * @param extraRoutes adds what else the port serves, such as the live page
   */
  public HttpFrontEnd(
      HttpServices services, HttpFrontEndOptions options, Consumer<Router> extraRoutes) {
    this.services = services;
    this.options = options;
    this.extraRoutes = extraRoutes;
  }

  @Override
  public Future<?> start() {
    infer = new InferHandler(vertx, services, options.maxMessageBytes(), options.bodyTimeoutMs());
    heads = new BodyWatch(vertx, NanoClock.SYSTEM, options.bodyTimeoutMs(), "http_head");
    refused =
        new RefusedLane(
            NanoClock.SYSTEM,
            turn -> vertx.timer(1, TimeUnit.MICROSECONDS).onSuccess(v -> turn.run()));
    router = Router.router(vertx);
    extraRoutes.accept(router);
    streams = new StreamHandler(vertx, services, options);
    streams.mount(router);
    new SchedulerRoutes(vertx).mount(router);
    new RolloutRoutes(services.catalog()).mount(router);
    new ModelRoutes(vertx, services, options).mount(router);
    server =
        vertx
            .createHttpServer(
                new HttpServerOptions()
                    .setMaxHeaderSize(options.maxHeaderBytes())
                    .setTcpNoDelay(true)
                    .setMaxChunkSize(MAX_CHUNK_BYTES)
                    // Nothing here speaks WebSocket; its handlers would see every request.
                    .setPerFrameWebSocketCompressionSupported(false)
                    .setPerMessageWebSocketCompressionSupported(false)
                    .setAcceptBacklog(1024)
                    .setIdleTimeout(options.idleTimeoutSeconds())
                    .setIdleTimeoutUnit(TimeUnit.SECONDS))
            .connectionHandler(this::onConnection)
            .requestHandler(this::handle);
    return Listening.at(
            "http", options.host(), options.port(), server.listen(options.port(), options.host()))
        .compose(listening -> ConnectionWatch.knock(vertx, options.host(), actualPort()));
  }

  @Override
  public Future<?> stop() {
    if (streams != null) {
      streams.stop(); // a camera never ends its request
    }
    return server == null
        ? Future.succeededFuture()
        : server.shutdown(options.graceMs(), TimeUnit.MILLISECONDS);
  }

  /** Returns the port in use, once started. */
  public int actualPort() {
    return server == null ? -1 : server.actualPort();
  }

  @SuppressWarnings("NullAway") // set by start(), which precedes every connection
  private void onConnection(HttpConnection connection) {
    long idleMs = TimeUnit.SECONDS.toMillis(options.idleTimeoutSeconds());
    ConnectionWatch.install(vertx.eventBus(), connection, options.bodyTimeoutMs(), idleMs);
    connections++;
    connection.closeHandler(v -> connections--);
    if (connections > options.maxConnections()) {
      connection.close();
      return;
    }
    if (BodyTap.install(connection, heads)) {
      refused.install(connection);
    }
    AcceptPace.install(connection);
    NoUpgrade.install(connection);
  }

  @SuppressWarnings("NullAway") // both are set by start(), which precedes every request
  private void handle(HttpServerRequest request) {
    try {
      if (!inferred(request)) {
        router.handle(request);
      }
    } catch (RuntimeException e) {
      // Vert.x would only log it, and the client would wait for ever.
      if (!(e instanceof InferenceException)) {
        LOG.error("{} {}", request.method(), request.path(), e);
      }
      JsonReply.fail(request.response(), e);
    }
  }

  /** Takes the short way if this is an inference whose path needs no decoding. */
  @SuppressWarnings("NullAway") // likewise
  private boolean inferred(HttpServerRequest request) {
    String path = request.path();
    if (path == null
        || !path.startsWith(MODELS)
        || !path.endsWith(INFER)
        || !HttpMethod.POST.equals(request.method())) {
      return false;
    }
    int end = path.length() - INFER.length();
    int versions = path.indexOf(VERSIONS, MODELS.length());
    int nameEnd = versions < 0 ? end : versions;
    int versionStart = versions < 0 ? end : versions + VERSIONS.length();
    if (nameEnd <= MODELS.length() || (versions >= 0 && versionStart >= end)) {
      return false;
    }
    String model = path.substring(MODELS.length(), nameEnd);
    if (model.indexOf('/') >= 0 || model.indexOf('%') >= 0) {
      return false;
    }
    infer.handle(request, model, path.substring(versionStart, end));
    return true;
  }
}
