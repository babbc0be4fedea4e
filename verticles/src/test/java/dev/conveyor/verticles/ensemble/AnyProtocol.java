package dev.conveyor.verticles.ensemble;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.ByteString;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelInferResponse.InferOutputTensor;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientOptions;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcStatus;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The same question on every protocol. Not thread-safe: owned by one test. */
final class AnyProtocol implements AutoCloseable {

  /** Ways to ask. */
  enum Protocol {
    HTTP,
    GRPC,
    GRPC_STREAM,
    BUS
  }

  /**
   * What came of it.
   *
   * @param refused the server says that the request is at fault
   * @param error empty if there is an answer
   */
  record Outcome(boolean refused, String error, List<Tensor> outputs) {

    List<Integer> dims(int output) {
      Shape shape = outputs.get(output).shape();
      List<Integer> dims = new ArrayList<>();
      for (int i = 0; i < shape.rank(); i++) {
        dims.add((int) shape.dim(i));
      }
      return dims;
    }
  }

  private final TestServer server;
  private final GrpcClient grpc;
  private final SocketAddress address;

  AnyProtocol(TestServer server) {
    this.server = server;
    this.grpc =
        GrpcClient.client(server.vertx(), new GrpcClientOptions().setMaxMessageSize(8L << 20));
    this.address = SocketAddress.inetSocketAddress(server.server().grpcPort(), "127.0.0.1");
  }

  Outcome ask(Protocol protocol, String model, List<Tensor> inputs) {
    return switch (protocol) {
      case HTTP -> http(model, inputs);
      case GRPC -> unary(request(model, inputs));
      case GRPC_STREAM -> streamed(request(model, inputs));
      case BUS -> bus(model, inputs);
    };
  }

  @Override
  public void close() {
    TestServer.await(grpc.close());
  }

  private Outcome http(String model, List<Tensor> inputs) {
    JsonObject[] heads = new JsonObject[inputs.size()];
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (int i = 0; i < heads.length; i++) {
      Tensor input = inputs.get(i);
      data.writeBytes(bytes(input));
      JsonObject size = new JsonObject().put("binary_data_size", input.sizeBytes());
      heads[i] =
          Requests.input(input.name(), dims(input.shape()))
              .put("datatype", input.type().name())
              .put("parameters", size);
    }
    JsonObject head = Requests.of(heads);
    head.put("parameters", new JsonObject().put("binary_data_output", true));
    Answer answer = server.http().infer(model, head, data.toByteArray());
    if (answer.status() != 200) {
      return new Outcome(answer.status() == 400, answer.error(), List.of());
    }
    JsonArray outputs = new JsonObject(new String(answer.head(), UTF_8)).getJsonArray("outputs");
    List<Tensor> tensors = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < outputs.size(); i++) {
      JsonObject output = outputs.getJsonObject(i);
      int size = output.getJsonObject("parameters").getInteger("binary_data_size");
      long[] shape =
          output.getJsonArray("shape").stream().mapToLong(d -> ((Number) d).longValue()).toArray();
      ByteBuffer part = ByteBuffer.wrap(answer.binary()).slice(at, size);
      tensors.add(
          tensor(output.getString("name"), output.getString("datatype"), Shape.of(shape), part));
      at += size;
    }
    return new Outcome(false, "", tensors);
  }

  private Outcome unary(ModelInferRequest request) {
    GrpcClientRequest<ModelInferRequest, ModelInferResponse> call =
        TestServer.await(grpc.request(address, GRPCInferenceServiceGrpcClient.ModelInfer));
    // Listens before it sends: from another thread the answer could be over before.
    Future<Outcome> outcome =
        call.response().compose(opened -> opened.last().otherwiseEmpty().map(of(opened)));
    call.end(request);
    return TestServer.await(outcome);
  }

  private static Function<ModelInferResponse, Outcome> of(
      GrpcClientResponse<ModelInferRequest, ModelInferResponse> opened) {
    return answer ->
        opened.status() == GrpcStatus.OK
            ? new Outcome(false, "", outputs(answer))
            : new Outcome(
                opened.status() == GrpcStatus.INVALID_ARGUMENT, opened.statusMessage(), List.of());
  }

  /** An answer in a stream has no status, only a message. */
  private Outcome streamed(ModelInferRequest request) {
    GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> call =
        TestServer.await(grpc.request(address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));
    Future<ModelStreamInferResponse> last = call.response().compose(opened -> opened.last());
    call.end(request);
    ModelStreamInferResponse answer = TestServer.await(last);
    return answer.getErrorMessage().isEmpty()
        ? new Outcome(false, "", outputs(answer.getInferResponse()))
        : new Outcome(true, answer.getErrorMessage(), List.of());
  }

  private Outcome bus(String model, List<Tensor> inputs) {
    return TestServer.await(
        InferenceClient.create(server.vertx())
            .infer(model, inputs)
            .map(response -> new Outcome(false, "", response.outputs()))
            .otherwise(
                failure ->
                    new Outcome(
                        ((InferenceException) failure).code() == ErrorCode.INVALID_REQUEST,
                        String.valueOf(failure.getMessage()),
                        List.of())));
  }

  private static ModelInferRequest request(String model, List<Tensor> inputs) {
    ModelInferRequest.Builder request = ModelInferRequest.newBuilder().setModelName(model);
    for (Tensor input : inputs) {
      ModelInferRequest.InferInputTensor.Builder head =
          request.addInputsBuilder().setName(input.name()).setDatatype(input.type().name());
      for (long dim : dims(input.shape())) {
        head.addShape(dim);
      }
      request.addRawInputContents(ByteString.copyFrom(bytes(input)));
    }
    return request.build();
  }

  private static List<Tensor> outputs(ModelInferResponse answer) {
    List<Tensor> tensors = new ArrayList<>();
    for (int i = 0; i < answer.getOutputsCount(); i++) {
      InferOutputTensor output = answer.getOutputs(i);
      Shape shape = Shape.of(output.getShapeList().stream().mapToLong(d -> d).toArray());
      ByteBuffer data = ByteBuffer.wrap(answer.getRawOutputContents(i).toByteArray());
      tensors.add(tensor(output.getName(), output.getDatatype(), shape, data));
    }
    return tensors;
  }

  private static Tensor tensor(String name, String type, Shape shape, ByteBuffer data) {
    return Tensor.of(name, DataType.valueOf(type), shape, data.order(ByteOrder.LITTLE_ENDIAN));
  }

  private static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[tensor.sizeBytes()];
    tensor.data().duplicate().get(bytes);
    return bytes;
  }

  private static long[] dims(Shape shape) {
    long[] dims = new long[shape.rank()];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = shape.dim(i);
    }
    return dims;
  }
}
