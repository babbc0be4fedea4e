package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.BodyWatch;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.stream.FrameSplitter;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Streams of frames over HTTP: {@code POST /v2/models/{model}/stream}.
 *
 * <p>Thread-confined to the event loop of its front end. What can be refused from path and headers
 * is refused with a status before anything is read.
 */
final class StreamHandler {

  private static final long MOST_KEEP_ALIVE_MS = 30_000;

  private final Vertx vertx;
  private final HttpServices services;
  private final int maxFrameBytes;
  private final EarlyAnswer early;
  private final BodyWatch watch;
  private final long keepAliveMs;
  private final Set<FrameStream> open = new HashSet<>();

  StreamHandler(Vertx vertx, HttpServices services, HttpFrontEndOptions options) {
    this.vertx = vertx;
    this.services = services;
    this.maxFrameBytes = options.maxMessageBytes();
    this.early = new EarlyAnswer(vertx);
    this.watch = new BodyWatch(vertx, NanoClock.SYSTEM, options.bodyTimeoutMs(), "http_frame");
    long idleMs = TimeUnit.SECONDS.toMillis(options.idleTimeoutSeconds());
    // Twice before a connection without traffic is closed, and often enough for proxies.
    this.keepAliveMs = Math.min(MOST_KEEP_ALIVE_MS, Math.max(1, idleMs / 3));
  }

  void mount(Router router) {
    vertx.setPeriodic(keepAliveMs, timer -> new ArrayList<>(open).forEach(FrameStream::keepAlive));

    router.post("/v2/models/:model/stream").handler(this::handle);
    router.post("/v2/models/:model/versions/:version/stream").handler(this::handle);
  }

  /** Ends every stream, after what came in was answered. */
  void stop() {
    new ArrayList<>(open).forEach(FrameStream::endInput);
  }

  private void handle(RoutingContext context) {
    HttpServerRequest request = context.request();
    String model = param(context, "model");
    String version = param(context, "version");
    try {
      RequestTerms head = RequestTerms.of(request);
      ServedModel served = services.catalog().find(model, version);
      StreamSource source = StreamSource.of(request, served, version, head);
      FrameSplitter splitter =
          StreamSource.splitter(
              request, services.requestMemory().shareOf(served.name()), maxFrameBytes);
      begin(source, splitter, request, head.waitsForContinue());
    } catch (InferenceException e) {
      early.midway(request, e);
    }
  }

  private void begin(
      StreamSource source,
      FrameSplitter splitter,
      HttpServerRequest request,
      boolean waitsForContinue) {
    FrameStream stream =
        new FrameStream(vertx, services, watch, source, splitter, request, open::remove);
    open.add(stream);
    stream.start(waitsForContinue);
  }

  private static String param(RoutingContext context, String name) {
    String value = context.pathParam(name);
    return value == null ? "" : value;
  }
}
