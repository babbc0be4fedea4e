package dev.conveyor.verticles.cli.demo;

import dev.conveyor.verticles.bench.load.HttpPayload;
import dev.conveyor.verticles.bench.load.InferPayload;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;

/** Posts images as binary tensors. Thread-safe. */
final class HttpInferClient implements InferClient {

  private static final long TIMEOUT_MS = 30_000;

  private final HttpClient client;

  HttpInferClient(Vertx vertx, String host, int port, int connections) {
    this.client =
        vertx.createHttpClient(
            new HttpClientOptions().setDefaultHost(host).setDefaultPort(port),
            new PoolOptions().setHttp1MaxSize(connections));
  }

  @Override
  public String protocol() {
    return "HTTP";
  }

  @Override
  public Future<Buffer> infer(InferPayload payload) {
    HttpPayload encoded = HttpPayload.of(payload);
    RequestOptions options =
        new RequestOptions()
            .setMethod(HttpMethod.POST)
            .setURI(HttpPayload.uri(payload.model()))
            .setTimeout(TIMEOUT_MS)
            .putHeader(HttpHeaders.CONTENT_TYPE, "application/octet-stream")
            .putHeader(HttpPayload.HEAD_LENGTH_HEADER, Integer.toString(encoded.headBytes()));
    return client
        .request(options)
        .compose(request -> request.send(encoded.body()))
        .compose(response -> response.body().map(body -> output(response, body)));
  }

  @Override
  public Future<Void> close() {
    return client.close();
  }

  private static Buffer output(HttpClientResponse response, Buffer body) {
    if (response.statusCode() != 200) {
      throw new DemoException("HTTP " + response.statusCode() + ": " + body);
    }
    String headBytes = response.getHeader(HttpPayload.HEAD_LENGTH_HEADER);
    if (headBytes == null) {
      throw new DemoException("the answer over HTTP has no binary tensor: " + body);
    }
    return body.getBuffer(Integer.parseInt(headBytes), body.length());
  }
}
