package dev.conveyor.verticles.page;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Actor that serves the live page and pushes its figures, one sample per period, to every browser.
 *
 * <p>Samples on one event loop, once per period, whatever the number of browsers. {@link #mount} is
 * thread-safe: any number of HTTP front ends may mount the same page, deployed or not. A browser is
 * written to on the event loop of its connection; at most {@link #MAX_STREAMS} are connected at a
 * time. Undeploying ends their streams.
 */
public final class LivePage extends VerticleBase {

  static final int MAX_STREAMS = 64;

  private static final Logger LOG = LoggerFactory.getLogger(LivePage.class);

  private static final String CONTENT_SECURITY_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
          + " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  /** Modules, the first of which loads the others. */
  static final List<String> SCRIPTS =
      List.of("page.js", "dom.js", "models.js", "devices.js", "costs.js");

  private final PageSource source;
  private final long periodMs;
  private final Set<EventStream> streams = ConcurrentHashMap.newKeySet();
  private final AtomicInteger streamCount = new AtomicInteger();
  private volatile @Nullable Context owner;
  private @Nullable Buffer latest;
  private volatile @Nullable Picture picture;

  /** What is shown, and how many were before it: a browser asks for each by its number. */
  private record Picture(Buffer jpeg, String caption, long number) {}

  /** Creates a page that samples every second. */
  public LivePage(PageSource source) {
    this(source, 1000);
  }

  LivePage(PageSource source, long periodMs) {
    this.source = source;
    this.periodMs = periodMs;
  }

  @Override
  public Future<?> start() {
    owner = context;
    tick();
    vertx.setPeriodic(periodMs, id -> tick());
    return Future.succeededFuture();
  }

  @Override
  public Future<?> stop() {
    owner = null;
    streams.forEach(EventStream::end);
    return Future.succeededFuture();
  }

  /** Adds {@code /}, {@code /events} and the page's assets below {@code /page/}. */
  public void mount(Router router) {
    asset(router, "/", "index.html", "text/html; charset=utf-8");
    asset(router, "/page/page.css", "page.css", "text/css; charset=utf-8");
    for (String script : SCRIPTS) {
      asset(router, "/page/" + script, script, "text/javascript; charset=utf-8");
    }
    asset(router, "/page/icon.svg", "icon.svg", "image/svg+xml");
    router.get("/page/picture.jpg").handler(this::onPicture);
    router.get("/events").handler(this::onBrowser);
  }

  /**
   * Shows a picture until another one comes. Callable from any thread.
   *
   * @param caption what the picture says, for those who do not see it
   */
  public synchronized void show(byte[] jpeg, String caption) {
    Picture before = picture;
    picture = new Picture(Buffer.buffer(jpeg), caption, before == null ? 1 : before.number() + 1);
  }

  private void onPicture(RoutingContext routing) {
    Picture shown = picture;
    if (shown == null) {
      routing.response().setStatusCode(404).end();
      return;
    }
    routing
        .response()
        .putHeader("Content-Type", "image/jpeg")
        .putHeader("Cache-Control", "no-store")
        .putHeader("X-Content-Type-Options", "nosniff")
        .end(shown.jpeg().slice());
  }

  int streamCount() {
    return streamCount.get();
  }

  private void tick() {
    try {
      JsonObject sample = source.sample();
      Picture shown = picture;
      if (shown != null) {
        sample.put(
            "picture",
            new JsonObject().put("number", shown.number()).put("caption", shown.caption()));
      }
      Buffer event = EventStream.event("sample", sample.encode());
      latest = event;
      streams.forEach(stream -> stream.send(event));
    } catch (RuntimeException e) {
      LOG.warn("Could not sample figures for the live page", e);
    }
  }

  private void onBrowser(RoutingContext routing) {
    Context page = owner;
    if (page == null || streamCount.incrementAndGet() > MAX_STREAMS) {
      if (page != null) {
        streamCount.decrementAndGet();
      }
      routing
          .response()
          .setStatusCode(503)
          .putHeader("Retry-After", "5")
          .end("the live page is not available or has too many viewers\n");
      return;
    }
    EventStream stream = new EventStream(routing.vertx().getOrCreateContext(), routing.response());
    stream.onGone(
        () -> {
          streams.remove(stream);
          streamCount.decrementAndGet();
        });
    stream.open();
    page.runOnContext(v -> welcome(stream));
  }

  /** Runs on the page's event loop, so between two ticks. */
  private void welcome(EventStream stream) {
    if (owner == null) {
      stream.end();
      return;
    }
    stream.send(EventStream.event("history", source.history().encode()));
    if (latest != null) {
      stream.send(latest);
    }
    streams.add(stream);
    if (stream.isGone()) {
      streams.remove(stream);
    }
  }

  private static void asset(Router router, String path, String resource, String contentType) {
    Buffer content = read(resource);
    router
        .get(path)
        .handler(
            routing ->
                routing
                    .response()
                    .putHeader("Content-Type", contentType)
                    .putHeader("Cache-Control", "no-cache")
                    .putHeader("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                    .putHeader("X-Content-Type-Options", "nosniff")
                    .putHeader("Referrer-Policy", "no-referrer")
                    .end(content.slice()));
  }

  private static Buffer read(String resource) {
    try (InputStream in = LivePage.class.getResourceAsStream("/page/" + resource)) {
      if (in == null) {
        throw new IllegalStateException("resource page/" + resource + " is missing");
      }
      return Buffer.buffer(in.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
