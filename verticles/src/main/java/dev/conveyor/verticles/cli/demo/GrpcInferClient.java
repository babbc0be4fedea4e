package dev.conveyor.verticles.cli.demo;

import com.google.protobuf.UnsafeByteOperations;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.RequestTensor;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
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
import io.vertx.grpc.common.GrpcStatus;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;

/** Calls {@code ModelInfer} with raw contents. Thread-safe. */
final class GrpcInferClient implements InferClient {

  private static final ServiceMethod<ModelInferResponse, ModelInferRequest> INFER =
      ServiceMethod.client(
          ServiceName.create("inference", "GRPCInferenceService"),
          "ModelInfer",
          GrpcMessageEncoder.encoder(),
          GrpcMessageDecoder.decoder(ModelInferResponse.newBuilder()));

  /** The masks of a few images are more than the 256 KiB that a client takes by default. */
  private static final long MAX_MESSAGE_BYTES = 16L << 20;

  private final GrpcClient client;
  private final SocketAddress address;

  GrpcInferClient(Vertx vertx, String host, int port) {
    this.client =
        GrpcClient.client(vertx, new GrpcClientOptions().setMaxMessageSize(MAX_MESSAGE_BYTES));
    this.address = SocketAddress.inetSocketAddress(port, host);
  }

  @Override
  public String protocol() {
    return "gRPC";
  }

  @Override
  public Future<Buffer> infer(InferPayload payload) {
    ModelInferRequest message = message(payload);
    return client
        .request(address, INFER)
        .compose(request -> request.send(message))
        .compose(response -> response.last().transform(last -> output(response, last)));
  }

  @Override
  public Future<Void> close() {
    return client.close();
  }

  private static ModelInferRequest message(InferPayload payload) {
    ModelInferRequest.Builder message =
        ModelInferRequest.newBuilder().setModelName(payload.model());
    for (RequestTensor tensor : payload.inputs()) {
      ModelInferRequest.InferInputTensor.Builder input =
          message.addInputsBuilder().setName(tensor.name()).setDatatype(tensor.type().name());
      for (long dim : tensor.shape().toArray()) {
        input.addShape(dim);
      }
      message.addRawInputContents(UnsafeByteOperations.unsafeWrap(tensor.data().getBytes()));
    }
    for (String output : payload.outputs()) {
      message.addOutputsBuilder().setName(output);
    }
    return message.build();
  }

  private static Future<Buffer> output(
      GrpcClientResponse<ModelInferRequest, ModelInferResponse> response,
      AsyncResult<ModelInferResponse> last) {
    GrpcStatus status = response.status();
    if (status != null && status != GrpcStatus.OK) {
      return Future.failedFuture(
          new DemoException("gRPC " + status + ": " + response.statusMessage()));
    }
    return last.failed()
        ? Future.failedFuture(last.cause())
        : Future.succeededFuture(
            Buffer.buffer(last.result().getRawOutputContents(0).toByteArray()));
  }
}
