package dev.conveyor.verticles.feed;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelMetadataRequest;
import dev.conveyor.verticles.proto.ModelMetadataResponse;
import dev.conveyor.verticles.proto.ModelMetadataResponse.TensorMetadata;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.stream.StreamTerms;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A stream over {@code ModelStreamInfer}. Not thread-safe: owned by its event loop. */
final class GrpcFeed implements FeedConnection {

  private final GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> request;
  private final ModelInferRequest template;
  private final Listener listener;
  private final Promise<Void> ended = Promise.promise();

  private GrpcFeed(
      GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> request,
      ModelInferRequest template,
      Listener listener) {
    this.request = request;
    this.template = template;
    this.listener = listener;
  }

  static Future<FeedConnection> open(GrpcClient client, FeedPlan plan, Listener listener) {
    SocketAddress address =
        SocketAddress.inetSocketAddress(plan.target().port(), plan.target().host());
    ModelMetadataRequest question =
        ModelMetadataRequest.newBuilder().setName(plan.target().model()).build();
    return GRPCInferenceServiceGrpcClient.create(client, address)
        .modelMetadata(question)
        .map(metadata -> template(plan, metadata))
        .compose(
            template ->
                client
                    .request(address, GRPCInferenceServiceGrpcClient.ModelStreamInfer)
                    .compose(request -> begin(request, template, plan, listener)));
  }

  private static Future<FeedConnection> begin(
      GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> request,
      ModelInferRequest template,
      FeedPlan plan,
      Listener listener) {
    GrpcFeed feed = new GrpcFeed(request, template, listener);
    request.headers().set(StreamTerms.ORDER_HEADER, "in_order");
    if (plan.policy() != null) {
      request.headers().set(StreamTerms.POLICY_HEADER, plan.policy());
    }
    if (plan.inFlight() > 0) {
      request.headers().set(StreamTerms.IN_FLIGHT_HEADER, Integer.toString(plan.inFlight()));
    }
    request.exceptionHandler(feed::lost);
    request.response().onComplete(feed::onResponse, feed::lost);
    return Future.succeededFuture(feed);
  }

  private static ModelInferRequest template(FeedPlan plan, ModelMetadataResponse metadata) {
    if (metadata.getInputsCount() != 1 || !metadata.getInputs(0).getDatatype().equals("BYTES")) {
      throw new FeedException(
          "model '%s' takes %s: frames need one input of BYTES"
              .formatted(plan.target().model(), metadata.getInputsList()));
    }
    TensorMetadata input = metadata.getInputs(0);
    ModelInferRequest.Builder request =
        ModelInferRequest.newBuilder().setModelName(plan.target().model());
    ModelInferRequest.InferInputTensor.Builder tensor =
        request.addInputsBuilder().setName(input.getName()).setDatatype("BYTES");
    for (int i = 0; i < input.getShapeCount(); i++) {
      tensor.addShape(1);
    }
    plan.outputs().forEach(name -> request.addOutputsBuilder().setName(name));
    return request.build();
  }

  private void onResponse(GrpcClientResponse<?, ModelStreamInferResponse> response) {
    response.handler(this::onAnswer);
    response.endHandler(v -> ended.tryComplete());
    response.exceptionHandler(this::lost);
  }

  private void onAnswer(ModelStreamInferResponse answer) {
    ModelInferResponse response = answer.getInferResponse();
    long number = Long.parseLong(response.getId());
    if (response.containsParameters("frame_dropped")) {
      listener.dropped(number);
    } else if (answer.getErrorMessage().isEmpty()) {
      listener.answered(number);
    } else {
      listener.failed(number, answer.getErrorMessage());
    }
  }

  private void lost(Throwable cause) {
    if (ended.tryComplete()) {
      listener.said("the call was lost: " + cause.getMessage());
    }
  }

  @Override
  public boolean isFull() {
    return request.writeQueueFull();
  }

  @Override
  public void send(long number, byte[] frame) {
    ByteBuffer length = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    length.putInt(0, frame.length);
    ByteString element =
        UnsafeByteOperations.unsafeWrap(length).concat(UnsafeByteOperations.unsafeWrap(frame));
    request.write(
        template.toBuilder().setId(Long.toString(number)).addRawInputContents(element).build());
  }

  @Override
  public Future<Void> end() {
    request.end();
    return ended.future();
  }
}
