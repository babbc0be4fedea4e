package dev.conveyor.verticles.grpc;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.proto.CudaSharedMemoryRegisterRequest;
import dev.conveyor.verticles.proto.CudaSharedMemoryStatusRequest;
import dev.conveyor.verticles.proto.CudaSharedMemoryStatusResponse;
import dev.conveyor.verticles.proto.CudaSharedMemoryUnregisterRequest;
import dev.conveyor.verticles.proto.CudaSharedMemoryUnregisterResponse;
import dev.conveyor.verticles.proto.GrpcServiceProto;
import dev.conveyor.verticles.proto.LogSettingsRequest;
import dev.conveyor.verticles.proto.ModelConfigRequest;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelMetadataRequest;
import dev.conveyor.verticles.proto.ModelReadyRequest;
import dev.conveyor.verticles.proto.ModelStatisticsRequest;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.proto.RepositoryIndexRequest;
import dev.conveyor.verticles.proto.RepositoryModelLoadRequest;
import dev.conveyor.verticles.proto.RepositoryModelUnloadRequest;
import dev.conveyor.verticles.proto.ServerLiveRequest;
import dev.conveyor.verticles.proto.ServerMetadataRequest;
import dev.conveyor.verticles.proto.ServerReadyRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryRegisterRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryRegisterResponse;
import dev.conveyor.verticles.proto.SystemSharedMemoryStatusRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryStatusResponse;
import dev.conveyor.verticles.proto.SystemSharedMemoryUnregisterRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryUnregisterResponse;
import dev.conveyor.verticles.proto.TraceSettingRequest;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import io.vertx.grpc.server.Service;
import io.vertx.grpc.server.ServiceBuilder;
import java.util.List;
import java.util.function.Function;

/**
 * Binds each method of {@code inference.GRPCInferenceService} to the code behind it.
 *
 * <p>Not thread-safe: used once, while the server is put together.
 */
final class InferenceService {

  static final ServiceName NAME = ServiceName.create("inference", "GRPCInferenceService");

  private final int maxMessageBytes;
  private final ServiceBuilder service =
      Service.service(
          NAME, GrpcServiceProto.getDescriptor().findServiceByName("GRPCInferenceService"));

  private InferenceService(int maxMessageBytes) {
    this.maxMessageBytes = maxMessageBytes;
  }

  static Service create(InferRoute route, ServerApi api) {
    InferenceService binding = new InferenceService(route.options().maxMessageBytes());
    binding.bindInference(route);
    binding.bindServer(api);
    binding.bindRepository(api);
    binding.bindSystemSharedMemory(route.vertx(), route.regions());
    binding.bindUnsupported();
    return binding.service.build();
  }

  private void bindInference(InferRoute route) {
    MessageDecoder<ModelInferRequest> decoder =
        new MessageDecoder<>(ModelInferRequest.parser(), maxMessageBytes);
    ServiceMethod<ModelInferRequest, ModelInferResponse> infer =
        ServiceMethod.server(NAME, "ModelInfer", GrpcMessageEncoder.encoder(), decoder);
    service.bind(infer, request -> new InferUnary(route, request).start());
    ServiceMethod<ModelInferRequest, ModelStreamInferResponse> stream =
        ServiceMethod.server(NAME, "ModelStreamInfer", GrpcMessageEncoder.encoder(), decoder);
    service.bind(stream, request -> new InferStream(route, request).start());
  }

  private void bindServer(ServerApi api) {
    bind("ServerLive", ServerLiveRequest.parser(), request -> api.live());
    bind("ServerReady", ServerReadyRequest.parser(), request -> api.ready());
    bind("ServerMetadata", ServerMetadataRequest.parser(), request -> api.metadata());
    bind("ModelReady", ModelReadyRequest.parser(), api::modelReady);
    bind("ModelMetadata", ModelMetadataRequest.parser(), api::modelMetadata);
    bind("ModelConfig", ModelConfigRequest.parser(), api::modelConfig);
    bind("ModelStatistics", ModelStatisticsRequest.parser(), api::statistics);
  }

  private void bindRepository(ServerApi api) {
    bind("RepositoryIndex", RepositoryIndexRequest.parser(), api::index);
    bind("RepositoryModelLoad", RepositoryModelLoadRequest.parser(), api::load);
    bind("RepositoryModelUnload", RepositoryModelUnloadRequest.parser(), api::unload);
  }

  private void bindSystemSharedMemory(Vertx vertx, SharedMemoryRegions regions) {
    bind(
        "SystemSharedMemoryStatus",
        SystemSharedMemoryStatusRequest.parser(),
        request -> Future.succeededFuture(status(regions.status(request.getName()))));
    bind(
        "SystemSharedMemoryRegister",
        SystemSharedMemoryRegisterRequest.parser(),
        request ->
            vertx.executeBlocking(
                () -> {
                  regions.register(
                      new SharedMemoryRegions.Status(
                          request.getName(),
                          request.getKey(),
                          request.getOffset(), // beyond 63 bits it is negative here
                          request.getByteSize()));
                  return SystemSharedMemoryRegisterResponse.getDefaultInstance();
                },
                false));
    bind(
        "SystemSharedMemoryUnregister",
        SystemSharedMemoryUnregisterRequest.parser(),
        request -> {
          regions.unregister(request.getName());
          return Future.succeededFuture(SystemSharedMemoryUnregisterResponse.getDefaultInstance());
        });
  }

  private static SystemSharedMemoryStatusResponse status(List<SharedMemoryRegions.Status> regions) {
    SystemSharedMemoryStatusResponse.Builder answer = SystemSharedMemoryStatusResponse.newBuilder();
    for (SharedMemoryRegions.Status region : regions) {
      answer.putRegions(
          region.name(),
          SystemSharedMemoryStatusResponse.RegionStatus.newBuilder()
              .setName(region.name())
              .setKey(region.key())
              .setOffset(region.offset())
              .setByteSize(region.byteSize())
              .build());
    }
    return answer.build();
  }

  private void bindUnsupported() {
    bind(
        "CudaSharedMemoryStatus",
        CudaSharedMemoryStatusRequest.parser(),
        request -> noCudaRegions(request.getName()));
    // Clients clear what they may have left behind before they begin.
    bind(
        "CudaSharedMemoryUnregister",
        CudaSharedMemoryUnregisterRequest.parser(),
        request -> Future.succeededFuture(CudaSharedMemoryUnregisterResponse.getDefaultInstance()));
    refuse(
        "CudaSharedMemoryRegister",
        CudaSharedMemoryRegisterRequest.parser(),
        "CUDA shared memory is not supported");
    refuse("TraceSetting", TraceSettingRequest.parser(), "trace settings are not supported");
    refuse("LogSettings", LogSettingsRequest.parser(), "log settings are not supported");
  }

  private static Future<CudaSharedMemoryStatusResponse> noCudaRegions(String region) {
    return region.isEmpty()
        ? Future.succeededFuture(CudaSharedMemoryStatusResponse.getDefaultInstance())
        : Future.failedFuture(
            new InferenceException(
                ErrorCode.NOT_FOUND, "Unable to find cuda shared memory region: '" + region + "'"));
  }

  private <Q> void refuse(String method, Parser<Q> parser, String reason) {
    this.<Q, MessageLite>bind(method, parser, ServerApi.unsupported(reason));
  }

  private <Q, R extends MessageLite> void bind(
      String method, Parser<Q> parser, Function<Q, Future<R>> body) {
    UnaryMethod.bind(service, NAME, method, parser, maxMessageBytes, body);
  }
}
