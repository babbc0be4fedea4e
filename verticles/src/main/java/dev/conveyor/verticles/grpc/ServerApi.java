package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.ServerInfo;
import dev.conveyor.verticles.proto.ModelConfigRequest;
import dev.conveyor.verticles.proto.ModelConfigResponse;
import dev.conveyor.verticles.proto.ModelMetadataRequest;
import dev.conveyor.verticles.proto.ModelMetadataResponse;
import dev.conveyor.verticles.proto.ModelMetadataResponse.TensorMetadata;
import dev.conveyor.verticles.proto.ModelReadyRequest;
import dev.conveyor.verticles.proto.ModelReadyResponse;
import dev.conveyor.verticles.proto.ModelStatisticsRequest;
import dev.conveyor.verticles.proto.ModelStatisticsResponse;
import dev.conveyor.verticles.proto.RepositoryIndexRequest;
import dev.conveyor.verticles.proto.RepositoryIndexResponse;
import dev.conveyor.verticles.proto.RepositoryIndexResponse.ModelIndex;
import dev.conveyor.verticles.proto.RepositoryModelLoadRequest;
import dev.conveyor.verticles.proto.RepositoryModelLoadResponse;
import dev.conveyor.verticles.proto.RepositoryModelUnloadRequest;
import dev.conveyor.verticles.proto.RepositoryModelUnloadResponse;
import dev.conveyor.verticles.proto.ServerLiveResponse;
import dev.conveyor.verticles.proto.ServerMetadataResponse;
import dev.conveyor.verticles.proto.ServerReadyResponse;
import io.vertx.core.Future;
import java.util.List;
import java.util.function.Function;

/**
 * Every RPC that is not an inference, as a function from request to answer. Thread-safe; never
 * blocks. Failures are thrown, or fail the future.
 */
final class ServerApi {

  private final ServerMetadataResponse metadata;
  private final ModelCatalog catalog;
  private final RepositoryControl repository;
  private final Function<ServedModel, dev.conveyor.models.proto.ModelConfig> configWriter;

  ServerApi(
      ModelCatalog catalog,
      RepositoryControl repository,
      List<String> extensions,
      Function<ServedModel, dev.conveyor.models.proto.ModelConfig> configWriter) {
    this.catalog = catalog;
    this.repository = repository;
    this.configWriter = configWriter;
    this.metadata =
        ServerMetadataResponse.newBuilder()
            .setName(ServerInfo.NAME)
            .setVersion(ServerInfo.VERSION)
            .addAllExtensions(extensions)
            .build();
  }

  Future<ServerLiveResponse> live() {
    return Future.succeededFuture(ServerLiveResponse.newBuilder().setLive(true).build());
  }

  Future<ServerReadyResponse> ready() {
    return Future.succeededFuture(
        ServerReadyResponse.newBuilder().setReady(repository.isReady()).build());
  }

  Future<ServerMetadataResponse> metadata() {
    return Future.succeededFuture(metadata);
  }

  Future<ModelReadyResponse> modelReady(ModelReadyRequest request) {
    return Future.succeededFuture(
        ModelReadyResponse.newBuilder()
            .setReady(isReady(request.getName(), request.getVersion()))
            .build());
  }

  Future<ModelMetadataResponse> modelMetadata(ModelMetadataRequest request) {
    ServedModel served = catalog.describe(request.getName(), request.getVersion());
    ModelMetadataResponse.Builder answer =
        ModelMetadataResponse.newBuilder().setName(served.name()).setPlatform(served.platform());
    catalog
        .described(request.getName(), request.getVersion())
        .forEach(each -> answer.addVersions(each.version()));
    served.clientInputs().forEach(spec -> answer.addInputs(describe(spec)));
    served.clientOutputs().forEach(spec -> answer.addOutputs(describe(spec)));
    return Future.succeededFuture(answer.build());
  }

  Future<ModelConfigResponse> modelConfig(ModelConfigRequest request) {
    ServedModel served = catalog.describe(request.getName(), request.getVersion());
    return Future.succeededFuture(
        ModelConfigResponse.newBuilder().setConfig(configWriter.apply(served)).build());
  }

  Future<ModelStatisticsResponse> statistics(ModelStatisticsRequest request) {
    ModelStatisticsResponse.Builder answer = ModelStatisticsResponse.newBuilder();
    for (ServedModel served : statisticsOf(request.getName(), request.getVersion())) {
      answer.addModelStats(Statistics.of(served));
    }
    return Future.succeededFuture(answer.build());
  }

  Future<RepositoryIndexResponse> index(RepositoryIndexRequest request) {
    requireOnlyRepository(request.getRepositoryName());
    boolean readyOnly = request.getReady();
    return repository
        .index()
        .map(
            entries -> {
              RepositoryIndexResponse.Builder answer = RepositoryIndexResponse.newBuilder();
              for (RepositoryControl.Entry entry : entries) {
                if (!readyOnly || entry.state().equals("READY")) {
                  answer.addModels(
                      ModelIndex.newBuilder()
                          .setName(entry.name())
                          .setVersion(entry.version())
                          .setState(entry.state())
                          .setReason(entry.reason()));
                }
              }
              return answer.build();
            });
  }

  Future<RepositoryModelLoadResponse> load(RepositoryModelLoadRequest request) {
    requireOnlyRepository(request.getRepositoryName());
    return repository
        .load(request.getModelName(), RepositoryParameters.load(request.getParametersMap()))
        .map(done -> RepositoryModelLoadResponse.getDefaultInstance());
  }

  Future<RepositoryModelUnloadResponse> unload(RepositoryModelUnloadRequest request) {
    requireOnlyRepository(request.getRepositoryName());
    return repository
        .unload(
            request.getModelName(),
            RepositoryParameters.unloadDependents(request.getParametersMap()))
        .map(done -> RepositoryModelUnloadResponse.getDefaultInstance());
  }

  /** Returns an RPC that is declared but not supported. */
  static <Q, R> Function<Q, Future<R>> unsupported(String what) {
    InferenceException refusal = new InferenceException(ErrorCode.UNSUPPORTED, what);
    return request -> Future.failedFuture(refusal);
  }

  /** Returns true if inferences of the model are taken; an unknown model is not ready. */
  boolean isReady(String name, String version) {
    try {
      ServedModel unused = catalog.findReady(name, version);
      return true;
    } catch (InferenceException notServed) {
      return false;
    }
  }

  private List<ServedModel> statisticsOf(String name, String version) {
    return name.isEmpty() ? catalog.all() : catalog.described(name, version);
  }

  private static TensorMetadata describe(TensorSpec spec) {
    TensorMetadata.Builder metadata =
        TensorMetadata.newBuilder().setName(spec.name()).setDatatype(spec.type().name());
    Shape shape = spec.shape();
    for (int i = 0; i < shape.rank(); i++) {
      metadata.addShape(shape.dim(i));
    }
    return metadata.build();
  }

  private static void requireOnlyRepository(String repositoryName) {
    if (!repositoryName.isEmpty()) {
      throw new InferenceException(
          ErrorCode.UNSUPPORTED, "'repository_name' specification is not supported");
    }
  }
}
