package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Judge.Received;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongConsumer;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Sends requests to identity models and holds every answer against what was sent.
 *
 * <p>Thread-safe. Owns an event loop until {@link #close}; answers are told on it. One thread for
 * everything, because the client shares the cores with the server: a model that comes back answers
 * a thousand requests at once, and a client that takes a second to digest them makes the other
 * models look slow while the server is idle.
 */
final class Traffic implements AutoCloseable {

  /** Elements of a request. */
  static final int WIDTH = 16;

  private static final String HEAD_LENGTH = "Inference-Header-Content-Length";

  /** More than are ever under way: none waits for another's connection. */
  private static final int MOST_CONNECTIONS = 4096;

  /** Less than the server's patience with connections that are not used. */
  private static final int KEPT_SECONDS = 240;

  private interface Verdict {
    Answer on(@Nullable Received response, @Nullable Throwable failure, long sentNs);
  }

  /**
   * What became of a request, and when, by {@link System#nanoTime} on the client's event loop: what
   * a request waited for that loop before it was sent is no part of it.
   */
  record Reply(Answer answer, long sentNs, long doneNs) {}

  private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
  private final HttpClient client =
      vertx.createHttpClient(
          new HttpClientOptions().setTcpNoDelay(true).setKeepAliveTimeout(KEPT_SECONDS),
          new PoolOptions().setHttp1MaxSize(MOST_CONNECTIONS));
  private final Context context = vertx.getOrCreateContext();
  private final int port;
  private final byte[] head;
  private final Duration patience;

  /**
   * Prepares requests.
   *
   * @param patience how long to wait for an answer until it counts as lost
   */
  Traffic(int port, Duration patience) {
    this.patience = patience;
    this.port = port;
    JsonObject input =
        new JsonObject()
            .put("name", "INPUT0")
            .put("datatype", "FP32")
            .put("shape", new JsonArray().add(1).add(WIDTH))
            .put("parameters", new JsonObject().put("binary_data_size", 4 * WIDTH));
    this.head =
        new JsonObject()
            .put("inputs", new JsonArray().add(input))
            .put("parameters", new JsonObject().put("binary_data_output", true))
            .encode()
            .getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    vertx.close().toCompletionStage().toCompletableFuture().join();
  }

  /**
   * Has so many connections open at least, for {@link #KEPT_SECONDS}: clients that wait for a model
   * which is away have theirs already, and what connecting costs both ends is no effect of the
   * fault. Blocks.
   */
  void connect(int connections) {
    RequestOptions live =
        new RequestOptions().setHost("127.0.0.1").setPort(port).setURI("/v2/health/live");
    CompletableFuture<Void> open = new CompletableFuture<>();
    context.runOnContext(
        v -> {
          List<Future<Buffer>> together = new ArrayList<>();
          for (int i = 0; i < connections; i++) { // No answer comes before the last is sent.
            together.add(
                client
                    .request(live)
                    .compose(HttpClientRequest::send)
                    .compose(HttpClientResponse::body));
          }
          Future.join(together).onComplete(all -> open.complete(null), open::completeExceptionally);
        });
    open.join();
  }

  /**
   * Sends a request that should be answered with what it holds.
   *
   * @param away whether, by when a request was sent, a fault may have taken the model away
   */
  CompletableFuture<Reply> send(String model, float[] row, LongPredicate away) {
    return exchange(
        model,
        row,
        (response, failure, sentNs) ->
            Judge.sound(model, row, response, failure, away.test(sentNs)));
  }

  /**
   * Sends a request that should fail alone, with this in its message; null if it should succeed.
   */
  CompletableFuture<Reply> poison(
      String model, float[] row, @Nullable String message, LongPredicate away) {
    if (message == null) {
      return send(model, row, away);
    }
    return exchange(
        model,
        row,
        (response, failure, sentNs) ->
            Judge.poisoned(model, message, response, failure, away.test(sentNs)));
  }

  /**
   * Has this client's own stalls told, every {@link HiccupMeter#PERIOD_NS}: how late its event loop
   * is, in nanoseconds.
   */
  void meter(LongConsumer stalls) {
    HiccupMeter meter = new HiccupMeter();
    long unused =
        vertx.setPeriodic(
            HiccupMeter.PERIOD_NS / 1_000_000,
            id -> stalls.accept(meter.lateNs(System.nanoTime())));
  }

  private CompletableFuture<Reply> exchange(String model, float[] row, Verdict verdict) {
    Buffer body = Buffer.buffer(head.length + 4 * WIDTH).appendBytes(head);
    for (float element : row) {
      body.appendFloatLE(element);
    }
    RequestOptions options =
        new RequestOptions()
            .setMethod(HttpMethod.POST)
            .setHost("127.0.0.1")
            .setPort(port)
            .setURI("/v2/models/" + model + "/infer")
            .setTimeout(patience.toMillis())
            .putHeader(HEAD_LENGTH, Integer.toString(head.length));
    CompletableFuture<Reply> reply = new CompletableFuture<>();
    context.runOnContext(
        v -> {
          long sentNs = System.nanoTime();
          client
              .request(options)
              .compose(request -> request.send(body))
              .compose(
                  response ->
                      response
                          .body()
                          .map(
                              bytes ->
                                  new Received(
                                      response.statusCode(),
                                      response.getHeader(HEAD_LENGTH),
                                      bytes)))
              .onComplete(
                  done -> {
                    long doneNs = System.nanoTime();
                    Answer answer = verdict.on(done.result(), done.cause(), sentNs);
                    reply.complete(new Reply(answer, sentNs, doneNs));
                  });
        });
    return reply;
  }
}
