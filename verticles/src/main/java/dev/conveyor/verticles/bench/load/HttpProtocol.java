package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;

/** The Open Inference Protocol over HTTP/1.1 with binary tensors. Stateless. */
final class HttpProtocol implements LoadProtocol {

  @Override
  public String name() {
    return "http";
  }

  @Override
  public int defaultPort() {
    return 8000;
  }

  @Override
  public Future<LoadConnection> connect(Vertx vertx, LoadTarget target) {
    return Future.succeededFuture(open(vertx, target));
  }

  static Connection open(Vertx vertx, LoadTarget target) {
    HttpClientOptions options =
        new HttpClientOptions()
            .setDefaultHost(target.host())
            .setDefaultPort(target.port())
            .setKeepAlive(true)
            .setTcpNoDelay(true);
    PoolOptions pool =
        new PoolOptions().setHttp1MaxSize(target.connections()).setMaxWaitQueueSize(-1);
    HttpClient client = vertx.createHttpClient(options, pool);
    return new Connection(client, target);
  }

  /** Reads the inputs from a model's metadata document. */
  static List<TensorSpec> parseInputs(JsonObject metadata) {
    List<TensorSpec> specs = new ArrayList<>();
    for (Object entry : metadata.getJsonArray("inputs", new JsonArray())) {
      JsonObject input = (JsonObject) entry;
      JsonArray dims = input.getJsonArray("shape");
      long[] shape = new long[dims.size()];
      for (int i = 0; i < shape.length; i++) {
        shape[i] = ((Number) dims.getValue(i)).longValue();
      }
      String type = input.getString("datatype");
      specs.add(
          new TensorSpec(
              input.getString("name"),
              DataType.find(type)
                  .orElseThrow(() -> new IllegalStateException("unknown data type " + type)),
              Shape.of(shape)));
    }
    return specs;
  }

  /** What a response that is not 200 says: its {@code error} text where there is one. */
  static String errorOf(int status, Buffer body) {
    String text;
    try {
      text = body.toJsonObject().getString("error");
    } catch (RuntimeException notJson) {
      text = body.toString();
    }
    return text == null || text.isEmpty() ? "HTTP " + status : "HTTP " + status + ": " + text;
  }

  record Connection(HttpClient client, LoadTarget target) implements LoadConnection {

    @Override
    public Future<List<TensorSpec>> inputs(String model) {
      return client
          .request(HttpMethod.GET, "/v2/models/" + model)
          .compose(request -> request.send())
          .compose(
              response ->
                  response
                      .body()
                      .map(
                          body -> {
                            if (response.statusCode() != 200) {
                              throw new LoadException(errorOf(response.statusCode(), body));
                            }
                            return parseInputs(body.toJsonObject());
                          }));
    }

    @Override
    public LoadClient client(List<InferPayload> payloads) {
      return client(payloads.get(0).model(), payloads.stream().map(HttpPayload::of).toList());
    }

    LoadClient client(String model, List<HttpPayload> requests) {
      return new HttpLoadClient(
          client, HttpPayload.uri(model), target.timeout().toMillis(), requests);
    }

    @Override
    public Future<Void> close() {
      return client.close();
    }
  }

  /** Drains an answer; fails with its error if it is one. */
  static Future<Void> drain(HttpClientResponse response) {
    if (response.statusCode() == 200) {
      return response.end();
    }
    return response
        .body()
        .map(
            body -> {
              throw new LoadException(errorOf(response.statusCode(), body));
            });
  }
}
