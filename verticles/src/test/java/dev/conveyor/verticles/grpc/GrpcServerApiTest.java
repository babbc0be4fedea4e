package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.verticles.grpc.GrpcFixture.Answer;
import dev.conveyor.verticles.proto.CudaSharedMemoryRegisterRequest;
import dev.conveyor.verticles.proto.CudaSharedMemoryStatusRequest;
import dev.conveyor.verticles.proto.CudaSharedMemoryUnregisterRequest;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.LogSettingsRequest;
import dev.conveyor.verticles.proto.ModelConfigRequest;
import dev.conveyor.verticles.proto.ModelConfigResponse;
import dev.conveyor.verticles.proto.ModelMetadataRequest;
import dev.conveyor.verticles.proto.ModelMetadataResponse;
import dev.conveyor.verticles.proto.ModelReadyRequest;
import dev.conveyor.verticles.proto.ModelRepositoryParameter;
import dev.conveyor.verticles.proto.ModelStatistics;
import dev.conveyor.verticles.proto.ModelStatisticsRequest;
import dev.conveyor.verticles.proto.ModelStatisticsResponse;
import dev.conveyor.verticles.proto.RepositoryIndexRequest;
import dev.conveyor.verticles.proto.RepositoryIndexResponse;
import dev.conveyor.verticles.proto.RepositoryModelLoadRequest;
import dev.conveyor.verticles.proto.RepositoryModelLoadResponse;
import dev.conveyor.verticles.proto.RepositoryModelUnloadRequest;
import dev.conveyor.verticles.proto.ServerLiveRequest;
import dev.conveyor.verticles.proto.ServerMetadataRequest;
import dev.conveyor.verticles.proto.ServerMetadataResponse;
import dev.conveyor.verticles.proto.ServerReadyRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryRegisterRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryStatusRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryStatusResponse;
import dev.conveyor.verticles.proto.SystemSharedMemoryUnregisterRequest;
import dev.conveyor.verticles.proto.TraceSettingRequest;
import io.vertx.grpc.common.GrpcStatus;
import io.vertx.grpc.common.ServiceMethod;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GrpcServerApiTest {

  private static final ModelRepositoryParameter CONFIG =
      ModelRepositoryParameter.newBuilder().setStringParam("{\"max_batch_size\": 4}").build();

  private static final ModelRepositoryParameter FILE =
      ModelRepositoryParameter.newBuilder().setBytesParam(ByteString.copyFromUtf8("x")).build();

  private final GrpcFixture server = new GrpcFixture();

  @AfterEach
  void close() {
    server.close();
  }

  @Test
  void shouldBeLiveAlwaysAndReadyOnceTheRepositoryIs() {
    ServerReadyRequest request = ServerReadyRequest.getDefaultInstance();
    assertThat(await(server.api.serverLive(ServerLiveRequest.getDefaultInstance())).getLive())
        .isTrue();
    assertThat(await(server.api.serverReady(request)).getReady()).isTrue();

    server.repository.ready = false;
    assertThat(await(server.api.serverReady(request)).getReady()).isFalse();
  }

  @Test
  void shouldTellWhetherAModelIsReady() {
    assertThat(isReady("identity", "")).isTrue();
    assertThat(isReady("identity", "3")).isTrue();
    assertThat(isReady("identity", "2")).isFalse();
    assertThat(isReady("none", "")).isFalse();

    server.catalog.withdraw("identity", "unloaded");
    assertThat(isReady("identity", "")).isFalse();
  }

  @Test
  void shouldDescribeTheServer() {
    ServerMetadataResponse metadata =
        await(server.api.serverMetadata(ServerMetadataRequest.getDefaultInstance()));

    assertThat(metadata.getName()).isEqualTo("conveyor");
    assertThat(metadata.getVersion()).isNotEmpty();
    assertThat(metadata.getExtensionsList())
        .contains("classification", "model_repository", "model_configuration", "statistics")
        .doesNotContain("system_shared_memory", "sequence", "trace");
  }

  @Test
  void shouldDescribeAModel() {
    ModelMetadataRequest request = ModelMetadataRequest.newBuilder().setName("identity").build();
    ModelMetadataResponse metadata = await(server.api.modelMetadata(request));

    assertThat(metadata.getName()).isEqualTo("identity");
    assertThat(metadata.getPlatform()).isEqualTo("onnxruntime_onnx");
    assertThat(metadata.getVersionsList()).containsExactly("1", "3");
    assertThat(metadata.getInputs(1).getName()).isEqualTo("INPUT1");
    assertThat(metadata.getInputs(1).getDatatype()).isEqualTo("FP32");
    assertThat(metadata.getInputs(1).getShapeList()).containsExactly(-1L, 4L);
    assertThat(metadata.getOutputsList()).hasSize(2);
    assertThat(
            await(server.api.modelMetadata(request.toBuilder().setVersion("1").build()))
                .getVersionsList())
        .containsExactly("1");
    assertThat(
            server
                .call(
                    GRPCInferenceServiceGrpcClient.ModelMetadata,
                    ModelMetadataRequest.newBuilder().setName("none").build())
                .status())
        .isEqualTo(GrpcStatus.NOT_FOUND);
  }

  @Test
  void shouldReturnAModelsConfiguration() {
    ModelConfigRequest request = ModelConfigRequest.newBuilder().setName("identity").build();
    ModelConfigResponse answer = await(server.api.modelConfig(request));

    assertThat(answer.getConfig().getName()).isEqualTo("identity");
    assertThat(answer.getConfig().getMaxBatchSize()).isEqualTo(8);
  }

  @Test
  void shouldReturnFiguresOfOneOrAllModels() {
    ModelStatisticsResponse all =
        await(server.api.modelStatistics(ModelStatisticsRequest.getDefaultInstance()));
    assertThat(all.getModelStatsList())
        .extracting(s -> s.getName() + "/" + s.getVersion())
        .containsExactly("identity/1", "identity/3", "pixels/1");

    ModelStatisticsRequest request =
        ModelStatisticsRequest.newBuilder().setName("identity").build();
    assertThat(await(server.api.modelStatistics(request)).getModelStatsList()).hasSize(2);
    ModelStatistics one =
        await(server.api.modelStatistics(request.toBuilder().setVersion("1").build()))
            .getModelStats(0);
    assertThat(one.getLastInference()).isEqualTo(1);
    assertThat(one.getInferenceCount()).isEqualTo(2);
    assertThat(one.getExecutionCount()).isEqualTo(3);
    assertThat(one.getInferenceStats().getSuccess().getCount()).isEqualTo(4);
    assertThat(one.getInferenceStats().getFail().getNs()).isEqualTo(7);
    assertThat(one.getInferenceStats().getQueue().getCount()).isEqualTo(8);
    assertThat(one.getInferenceStats().getComputeInput().getNs()).isEqualTo(11);
    assertThat(one.getInferenceStats().getComputeInfer().getCount()).isEqualTo(12);
    assertThat(one.getInferenceStats().getComputeOutput().getNs()).isEqualTo(15);
    assertThat(one.getBatchStatsList())
        .extracting(b -> b.getBatchSize() + ":" + b.getComputeInfer().getNs())
        .containsExactly("1:25", "4:19");
  }

  @Test
  void shouldListTheRepository() {
    RepositoryIndexRequest all = RepositoryIndexRequest.getDefaultInstance();
    RepositoryIndexResponse index = await(server.api.repositoryIndex(all));
    assertThat(index.getModelsList())
        .extracting(m -> m.getName() + "|" + m.getVersion() + "|" + m.getState())
        .containsExactly("identity|1|READY", "broken||UNAVAILABLE");
    assertThat(index.getModels(1).getReason()).isEqualTo("no model file");

    assertThat(
            await(server.api.repositoryIndex(all.toBuilder().setReady(true).build()))
                .getModelsList())
        .hasSize(1);
    assertThat(
            server
                .call(
                    GRPCInferenceServiceGrpcClient.RepositoryIndex,
                    all.toBuilder().setRepositoryName("other").build())
                .status())
        .isEqualTo(GrpcStatus.UNIMPLEMENTED);
  }

  @Test
  void shouldLoadAndUnload() {
    RepositoryModelLoadRequest load =
        RepositoryModelLoadRequest.newBuilder().setModelName("m").build();
    await(server.api.repositoryModelLoad(load));
    await(server.api.repositoryModelLoad(load.toBuilder().putParameters("config", CONFIG).build()));
    RepositoryModelUnloadRequest unload =
        RepositoryModelUnloadRequest.newBuilder()
            .setModelName("m")
            .putParameters(
                "unload_dependents",
                ModelRepositoryParameter.newBuilder().setBoolParam(false).build())
            .build();
    await(server.api.repositoryModelUnload(unload));
    await(
        server.api.repositoryModelUnload(
            unload.toBuilder()
                .putParameters(
                    "unload_dependents",
                    ModelRepositoryParameter.newBuilder().setBoolParam(true).build())
                .build()));

    assertThat(server.repository.asked)
        .containsExactly(
            "load m null",
            "load m {\"max_batch_size\": 4}",
            "unload m",
            "unload m and what it is made of");
  }

  @Test
  void shouldPassOnTheFilesOfALoad() {
    RepositoryModelLoadRequest.Builder load =
        RepositoryModelLoadRequest.newBuilder()
            .setModelName("m")
            .putParameters("file:1/model.onnx", FILE);
    Answer<RepositoryModelLoadResponse> alone = load(load);
    assertThat(alone.status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(alone.message()).contains("'config'").contains("'file:1/model.onnx'");

    assertThat(load(load.putParameters("config", CONFIG)).status()).isEqualTo(GrpcStatus.OK);
    assertThat(server.repository.asked)
        .containsExactly("load m {\"max_batch_size\": 4} [1/model.onnx]");
    assertThat(load(load.putParameters("file:1/model.onnx", CONFIG)).status())
        .isEqualTo(GrpcStatus.INVALID_ARGUMENT);
  }

  @Test
  void shouldSayWhyALoadWasRefused() {
    Answer<RepositoryModelLoadResponse> broken =
        load(RepositoryModelLoadRequest.newBuilder().setModelName("broken"));
    assertThat(broken.status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(broken.message()).isEqualTo("failed to load 'broken'");

    Answer<RepositoryModelLoadResponse> unknown =
        load(RepositoryModelLoadRequest.newBuilder().putParameters("fast", FILE));
    assertThat(unknown.status()).isEqualTo(GrpcStatus.UNIMPLEMENTED);
    assertThat(unknown.message()).contains("'fast'");
    assertThat(load(RepositoryModelLoadRequest.newBuilder().putParameters("config", FILE)).status())
        .isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    RepositoryModelUnloadRequest unload =
        RepositoryModelUnloadRequest.newBuilder().putParameters("gently", FILE).build();
    assertThat(server.call(GRPCInferenceServiceGrpcClient.RepositoryModelUnload, unload).status())
        .isEqualTo(GrpcStatus.UNIMPLEMENTED);
  }

  @Test
  void shouldHaveNoSharedMemoryAndNoSettings() {
    assertThat(
            await(
                    server.api.systemSharedMemoryStatus(
                        SystemSharedMemoryStatusRequest.getDefaultInstance()))
                .getRegionsCount())
        .isZero();
    assertThat(
            await(
                    server.api.cudaSharedMemoryStatus(
                        CudaSharedMemoryStatusRequest.getDefaultInstance()))
                .getRegionsCount())
        .isZero();
    assertThat(
            server.call(
                GRPCInferenceServiceGrpcClient.SystemSharedMemoryRegister,
                SystemSharedMemoryRegisterRequest.getDefaultInstance()))
        .extracting(Answer::status, Answer::message)
        .containsExactly(
            GrpcStatus.UNIMPLEMENTED,
            "shared memory is not enabled: limits.max_shared_memory_regions is 0");
    assertUnsupported(
        GRPCInferenceServiceGrpcClient.CudaSharedMemoryRegister,
        CudaSharedMemoryRegisterRequest.getDefaultInstance());
    // What clients do before they begin: there is nothing to clear, and that is no failure.
    await(
        server.api.systemSharedMemoryUnregister(
            SystemSharedMemoryUnregisterRequest.getDefaultInstance()));
    await(
        server.api.cudaSharedMemoryUnregister(
            CudaSharedMemoryUnregisterRequest.getDefaultInstance()));
    Answer<SystemSharedMemoryStatusResponse> region =
        server.call(
            GRPCInferenceServiceGrpcClient.SystemSharedMemoryStatus,
            SystemSharedMemoryStatusRequest.newBuilder().setName("r").build());
    assertThat(region.status()).isEqualTo(GrpcStatus.NOT_FOUND);
    assertThat(region.message()).isEqualTo("Unable to find system shared memory region: 'r'");
    assertUnsupported(
        GRPCInferenceServiceGrpcClient.TraceSetting, TraceSettingRequest.getDefaultInstance());
    assertUnsupported(
        GRPCInferenceServiceGrpcClient.LogSettings, LogSettingsRequest.getDefaultInstance());
  }

  private boolean isReady(String name, String version) {
    return await(
            server.api.modelReady(
                ModelReadyRequest.newBuilder().setName(name).setVersion(version).build()))
        .getReady();
  }

  private Answer<RepositoryModelLoadResponse> load(RepositoryModelLoadRequest.Builder request) {
    return server.call(GRPCInferenceServiceGrpcClient.RepositoryModelLoad, request.build());
  }

  private <Q, R> void assertUnsupported(ServiceMethod<R, Q> method, Q request) {
    Answer<R> answer = server.call(method, request);
    assertThat(answer.status()).isEqualTo(GrpcStatus.UNIMPLEMENTED);
    assertThat(answer.message()).endsWith("not supported");
  }
}
