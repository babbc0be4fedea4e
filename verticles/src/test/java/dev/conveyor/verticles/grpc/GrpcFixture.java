package dev.conveyor.verticles.grpc;

import com.google.protobuf.ByteString;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.Quota;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.ImageInputs;
import dev.conveyor.verticles.InputCheck;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferInputTensor;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientOptions;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.common.GrpcStatus;
import io.vertx.grpc.common.ServiceMethod;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.LongStream;

/**
 * A front end on a free port with the identity function behind it, and a client. Models: {@code
 * identity} versions 1 and 3 (two FP32 inputs, batching), {@code pixels} (uint8, labelled).
 */
final class GrpcFixture implements AutoCloseable {

  static final int MAX_MESSAGE_BYTES = 8 << 20;

  /** Outcome of a call: the body only if the status is OK. */
  record Answer<T>(GrpcStatus status, String message, T body, String encoding) {}

  final Vertx vertx = Vertx.vertx();
  final ModelCatalog catalog = new ModelCatalog();
  final FakeGateway gateway = new FakeGateway(vertx, catalog);
  final FakeRepository repository = new FakeRepository();
  final GrpcFrontEnd frontEnd;
  final String deploymentId;
  final SocketAddress address;
  final GrpcClient client;
  final GRPCInferenceServiceGrpcClient api;

  final BufferPool memory = new BufferPool(BlockAllocator.host(), 4 * MAX_MESSAGE_BYTES);

  /** No tenant but {@code limited} has a quota: one request. */
  private final FrontDoor door =
      new FrontDoor(
          new Tenants(
              8,
              new Tenants.Tenant(1, null),
              Map.of("limited", new Tenants.Tenant(1, new Quota(1e-3, 1)))),
          NanoClock.SYSTEM);

  final SharedMemoryRegions regions;

  GrpcFixture() {
    this(GrpcOptions.of("127.0.0.1", 0).withMaxMessageBytes(MAX_MESSAGE_BYTES));
  }

  GrpcFixture(GrpcOptions options) {
    this(options, SharedMemoryRegions.system(0));
  }

  GrpcFixture(GrpcOptions options, SharedMemoryRegions regions) {
    this.regions = regions;
    ServedModel one = identity("1");
    catalog.publish("identity", List.of(one, identity("3")));
    catalog.publish("pixels", List.of(pixels()));
    frontEnd =
        new GrpcFrontEnd(
            options,
            gateway,
            door,
            memory,
            catalog,
            repository,
            regions,
            served ->
                dev.conveyor.models.proto.ModelConfig.newBuilder()
                    .setName(served.name())
                    .setMaxBatchSize(served.signature().maxBatchSize())
                    .build());
    deploymentId = await(vertx.deployVerticle(frontEnd));
    address = SocketAddress.inetSocketAddress(frontEnd.actualPort(), "127.0.0.1");
    client =
        GrpcClient.client(vertx, new GrpcClientOptions().setMaxMessageSize(2 * MAX_MESSAGE_BYTES));
    api = GRPCInferenceServiceGrpcClient.create(client, address);
  }

  static ModelInferRequest.Builder infer(String model) {
    return ModelInferRequest.newBuilder().setModelName(model);
  }

  static InferInputTensor.Builder input(String name, String datatype, long... shape) {
    return InferInputTensor.newBuilder()
        .setName(name)
        .setDatatype(datatype)
        .addAllShape(LongStream.of(shape).boxed().toList());
  }

  static ModelInferRequest.Builder raw(String datatype, byte[] data, long... shape) {
    return infer("identity")
        .addInputs(input("INPUT0", datatype, shape))
        .addRawInputContents(ByteString.copyFrom(data));
  }

  Answer<ModelInferResponse> infer(ModelInferRequest.Builder request) {
    return call(GRPCInferenceServiceGrpcClient.ModelInfer, request.build());
  }

  <Q, R> Answer<R> call(ServiceMethod<R, Q> method, Q request) {
    return send(await(client.request(address, method)), request);
  }

  <Q, R> Answer<R> send(GrpcClientRequest<Q, R> call, Q request) {
    return await(start(call, request));
  }

  /** Listens before it sends: from another thread the answer could be over before. */
  <Q, R> Future<Answer<R>> start(GrpcClientRequest<Q, R> call, Q request) {
    Future<Answer<R>> answer = call.response().compose(GrpcFixture::answer);
    return call.end(request).compose(sent -> answer);
  }

  /** Sends a message that is encoded already. */
  <Q, R> Future<Answer<R>> startMessage(GrpcClientRequest<Q, R> call, GrpcMessage message) {
    Future<Answer<R>> answer = call.response().compose(GrpcFixture::answer);
    return call.endMessage(message).compose(sent -> answer);
  }

  /** Returns the outcome of a call, whose status the client tells by failing the end. */
  private static <Q, R> Future<Answer<R>> answer(GrpcClientResponse<Q, R> response) {
    return response
        .last()
        .otherwiseEmpty()
        .map(
            body ->
                new Answer<>(
                    response.status(), response.statusMessage(), body, response.encoding()));
  }

  static <T> T await(Future<T> future) {
    try {
      return future.await(60, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw new AssertionError("no answer", e);
    }
  }

  @Override
  public void close() {
    await(client.close());
    await(vertx.close());
  }

  private static ServedModel identity(String version) {
    return served(
        "identity",
        version,
        new ModelSignature(
            List.of(spec("INPUT0", DataType.FP32), spec("INPUT1", DataType.FP32)),
            List.of(spec("OUTPUT0", DataType.FP32), spec("OUTPUT1", DataType.FP32)),
            8),
        Map.of("OUTPUT0", List.of("cat", "dog")));
  }

  private static ServedModel pixels() {
    return served(
        "pixels",
        "1",
        new ModelSignature(
            List.of(spec("INPUT0", DataType.UINT8)), List.of(spec("OUTPUT0", DataType.UINT8)), 0),
        Map.of());
  }

  private static TensorSpec spec(String name, DataType type) {
    return new TensorSpec(name, type, Shape.of(-1, 4));
  }

  private static ServedModel served(
      String name, String version, ModelSignature signature, Map<String, List<String>> labels) {
    return new ServedModel(
        name,
        version,
        version,
        "onnxruntime_onnx",
        ModelConfig.empty(name),
        signature,
        signature.inputs(),
        labels,
        new InputCheck(name, signature.inputs(), signature.inputs(), signature.maxBatchSize()),
        ImageInputs.NONE,
        new FixedStats());
  }

  /** Figures that differ from one another. */
  private static final class FixedStats implements ModelStats {

    private final Map<RefusalReason, Long> refusals = new ConcurrentHashMap<>();

    @Override
    public void onRefused(RefusalReason reason) {
      refusals.merge(reason, 1L, Long::sum);
    }

    @Override
    public Map<RefusalReason, Long> refusals() {
      return refusals;
    }

    @Override
    public void onSuccess(int items, long preprocessNs, long queueNs, long totalNs) {}

    @Override
    public void onFailure(Reason reason, long totalNs) {}

    @Override
    public void onBatch(int items, long copyInNs, long computeNs, long copyOutNs) {}

    @Override
    public Snapshot snapshot() {
      return new Snapshot(
          1,
          2,
          3,
          new Duration(4, 5),
          new Duration(6, 7),
          new Duration(8, 9),
          new Duration(10, 11),
          new Duration(12, 13),
          new Duration(14, 15),
          Map.of(
              4,
              new BatchStats(new Duration(16, 17), new Duration(18, 19), new Duration(20, 21)),
              1,
              new BatchStats(new Duration(22, 23), new Duration(24, 25), new Duration(26, 27))),
          Map.of());
    }
  }
}
