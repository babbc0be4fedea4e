package dev.conveyor.verticles.bench;

import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/**
 * Answers as an inference server would, for the models {@code good} (INPUT0 FP32 [-1,16]) and
 * {@code bad}, which refuses every request. Thread-safe; keeps what it got.
 */
public final class FakeServer implements AutoCloseable {

  /** One inference request as it came. */
  public record Got(JsonObject head, Buffer tensors) {}

  private final Vertx vertx = Vertx.vertx();
  private final HttpServer server;
  private final List<Got> got = new CopyOnWriteArrayList<>();

  public FakeServer() throws Exception {
    server =
        vertx
            .createHttpServer()
            .requestHandler(this::onRequest)
            .listen(0, "127.0.0.1")
            .await(60, TimeUnit.SECONDS);
  }

  public int port() {
    return server.actualPort();
  }

  public List<Got> got() {
    return got;
  }

  @Override
  public void close() {
    vertx.close().await();
  }

  private void onRequest(HttpServerRequest request) {
    switch (request.path()) {
      case "/v2/models/good", "/v2/models/bad" ->
          request.response().end(metadata(request.path().substring(11)));
      case "/v2/models/good/infer" -> request.body().onSuccess(body -> infer(request, body));
      case "/v2/models/bad/infer" ->
          request.response().setStatusCode(429).end("{\"error\":\"queue full\"}");
      default -> request.response().setStatusCode(404).end("{\"error\":\"unknown model\"}");
    }
  }

  private void infer(HttpServerRequest request, Buffer body) {
    int headBytes = Integer.parseInt(request.getHeader("Inference-Header-Content-Length"));
    // A load test would keep gigabytes: the first few are enough to look at.
    if (got.size() < 16) {
      got.add(
          new Got(
              body.getBuffer(0, headBytes).toJsonObject(),
              body.getBuffer(headBytes, body.length())));
    }
    request.response().end("{}");
  }

  private static String metadata(String model) {
    return new JsonObject()
        .put("name", model)
        .put(
            "inputs",
            new JsonArray()
                .add(
                    new JsonObject()
                        .put("name", "INPUT0")
                        .put("datatype", "FP32")
                        .put("shape", new JsonArray().add(-1).add(16))))
        .encode();
  }
}
