package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.TensorSpec;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * HTTP/1.1 with the inputs in system shared memory, for a server of this machine that lets clients
 * register regions: every prepared tensor is written once, and requests say where it is. Answers
 * come over the connection. Stateless.
 */
final class SharedMemoryProtocol implements LoadProtocol {

  private static final String REGIONS = "/v2/systemsharedmemory/region/";

  @Override
  public String name() {
    return "http-shm";
  }

  @Override
  public int defaultPort() {
    return 8000;
  }

  @Override
  public Future<LoadConnection> connect(Vertx vertx, LoadTarget target) {
    return Future.succeededFuture(new Connection(HttpProtocol.open(vertx, target)));
  }

  /** Thread-safe. One region per set of requests, registered until the connection is closed. */
  private static final class Connection implements LoadConnection {

    private final HttpProtocol.Connection http;
    private final HttpClient control =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final List<SharedInputs> registered = new CopyOnWriteArrayList<>();

    Connection(HttpProtocol.Connection http) {
      this.http = http;
    }

    @Override
    public Future<List<TensorSpec>> inputs(String model) {
      return http.inputs(model);
    }

    @Override
    public LoadClient client(List<InferPayload> payloads) {
      SharedInputs inputs = SharedInputs.write(payloads);
      try {
        post(
            REGIONS + inputs.region() + "/register",
            new JsonObject().put("key", inputs.key()).put("byte_size", inputs.byteSize()));
      } catch (RuntimeException e) {
        inputs.close();
        throw e;
      }
      registered.add(inputs);
      return http.client(payloads.get(0).model(), inputs.requests());
    }

    @Override
    public Future<Void> close() {
      for (SharedInputs inputs : registered) {
        try {
          post(REGIONS + inputs.region() + "/unregister", new JsonObject());
        } catch (LoadException serverIsGone) {
          // So is the registration.
        } finally {
          inputs.close();
        }
      }
      registered.clear();
      return http.close();
    }

    private void post(String path, JsonObject body) {
      LoadTarget target = http.target();
      URI uri = URI.create("http://" + target.host() + ":" + target.port() + path);
      try {
        HttpResponse<String> answer =
            control.send(
                HttpRequest.newBuilder(uri)
                    .timeout(target.timeout())
                    .POST(HttpRequest.BodyPublishers.ofString(body.encode()))
                    .build(),
                HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
          throw new LoadException(
              "shared memory: HTTP %d: %s".formatted(answer.statusCode(), answer.body()));
        }
      } catch (IOException e) {
        throw new LoadException("shared memory: " + e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new LoadException("interrupted");
      }
    }
  }
}
