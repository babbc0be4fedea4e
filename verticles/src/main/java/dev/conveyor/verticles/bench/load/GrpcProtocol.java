package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.TensorSpec;
import io.vertx.core.AsyncResult;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientOptions;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcMessageDecoder;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import java.util.List;

/**
 * The Open Inference Protocol over gRPC with raw contents. Stateless. Sets no deadline on the wire,
 * because a deadline is work for the server that other load tools do not ask for.
 */
final class GrpcProtocol implements LoadProtocol {

  private static final ServiceName SERVICE =
      ServiceName.create("inference", "GRPCInferenceService");
  private static final long MAX_MESSAGE_BYTES = 64L << 20;

  @Override
  public String name() {
    return "grpc";
  }

  @Override
  public int defaultPort() {
    return 8001;
  }

  @Override
  public Future<LoadConnection> connect(Vertx vertx, LoadTarget target) {
    GrpcClientOptions options = new GrpcClientOptions().setMaxMessageSize(MAX_MESSAGE_BYTES);
    return Future.succeededFuture(
        new GrpcConnection(
            GrpcClient.client(vertx, options),
            SocketAddress.inetSocketAddress(target.port(), target.host())));
  }

  private static ServiceMethod<Buffer, Buffer> method(String name) {
    return ServiceMethod.client(
        SERVICE, name, GrpcMessageEncoder.IDENTITY, GrpcMessageDecoder.IDENTITY);
  }

  private record GrpcConnection(GrpcClient client, SocketAddress address)
      implements LoadConnection {

    private static final ServiceMethod<Buffer, Buffer> INFER = method("ModelInfer");
    private static final ServiceMethod<Buffer, Buffer> METADATA = method("ModelMetadata");

    @Override
    public Future<List<TensorSpec>> inputs(String model) {
      return call(METADATA, GrpcPayload.metadataRequest(model)).map(GrpcPayload::metadataInputs);
    }

    @Override
    public LoadClient client(List<InferPayload> payloads) {
      List<Buffer> requests = payloads.stream().map(GrpcPayload::inferRequest).toList();
      return n -> call(INFER, requests.get(Math.floorMod(n, requests.size()))).mapEmpty();
    }

    @Override
    public Future<Void> close() {
      return client.close();
    }

    private Future<Buffer> call(ServiceMethod<Buffer, Buffer> method, Buffer message) {
      return client
          .request(address, method)
          .compose(request -> request.send(message))
          .compose(response -> response.last().transform(last -> answer(response, last)));
    }

    private static Future<Buffer> answer(
        GrpcClientResponse<Buffer, Buffer> response, AsyncResult<Buffer> last) {
      var status = response.status();
      if (status != null && status.code != 0) {
        String message = response.statusMessage();
        return Future.failedFuture(
            new LoadException("gRPC " + status.name() + (message == null ? "" : ": " + message)));
      }
      return last.failed()
          ? Future.failedFuture(last.cause())
          : Future.succeededFuture(last.result());
    }
  }
}
