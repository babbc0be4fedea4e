package dev.conveyor.verticles.bench.bus;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.config.ServerConfigReader;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.LoadClient;
import dev.conveyor.verticles.bench.load.LoadConnection;
import dev.conveyor.verticles.bench.load.LoadProtocol;
import dev.conveyor.verticles.bench.load.LoadTarget;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Sends load over the event bus to a server that it starts in this JVM, as an application does that
 * hosts the server next to its own verticles. Thread-safe.
 */
public final class BusProtocol implements LoadProtocol {

  @Override
  public String name() {
    return "bus";
  }

  @Override
  public int defaultPort() {
    return 0;
  }

  @Override
  public Future<LoadConnection> connect(Vertx vertx, LoadTarget target) {
    ServerConfig config =
        target.serverConfig() == null
            ? ServerConfig.DEFAULT
            : ServerConfigReader.read(target.serverConfig());
    ConveyorServer server = new ConveyorServer(vertx, config, SupervisorEvents.NONE);
    InferenceClient client =
        InferenceClient.create(
            vertx, config.eventBus().addressPrefix(), target.timeout().toMillis());
    return server.start().map(v -> new Connection(server, client));
  }

  private record Connection(ConveyorServer server, InferenceClient client)
      implements LoadConnection {

    @Override
    public Future<List<TensorSpec>> inputs(String model) {
      return Future.succeededFuture(server.catalog().find(model, "").clientInputs());
    }

    @Override
    public LoadClient client(List<InferPayload> payloads) {
      List<List<Tensor>> inputs = payloads.stream().map(Connection::tensors).toList();
      String model = payloads.get(0).model();
      return n ->
          client
              .infer(model, "", inputs.get(n % inputs.size()), new JsonObject())
              .onSuccess(InferenceResponse::close)
              .mapEmpty();
    }

    private static List<Tensor> tensors(InferPayload payload) {
      return payload.inputs().stream()
          .map(t -> Tensor.of(t.name(), t.type(), t.shape(), ByteBuffer.wrap(t.data().getBytes())))
          .toList();
    }

    @Override
    public Future<Void> close() {
      return server.stop();
    }
  }
}
