package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.infer;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.verticles.grpc.FakeGateway.Held;
import dev.conveyor.verticles.grpc.GrpcFixture.Answer;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferInputTensor;
import dev.conveyor.verticles.proto.ModelInferRequest.InferRequestedOutputTensor;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.proto.ServerMetadataRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryRegisterRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryRegisterResponse;
import dev.conveyor.verticles.proto.SystemSharedMemoryStatusRequest;
import dev.conveyor.verticles.proto.SystemSharedMemoryStatusResponse;
import dev.conveyor.verticles.proto.SystemSharedMemoryStatusResponse.RegionStatus;
import dev.conveyor.verticles.proto.SystemSharedMemoryUnregisterRequest;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import dev.conveyor.verticles.shm.ShmFile;
import io.vertx.core.Future;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.common.GrpcStatus;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The system shared memory extension over gRPC. */
class GrpcSharedMemoryTest {

  /** Copied on a worker. */
  private static final int LONG = 1_100_000;

  private final GrpcFixture server =
      new GrpcFixture(
          GrpcOptions.of("127.0.0.1", 0).withMaxMessageBytes(2 * LONG),
          SharedMemoryRegions.system(4));

  @AfterEach
  void close() {
    server.close();
    server.regions.close();
    assertThat(server.gateway.leasedBytes()).isZero();
    assertThat(server.memory.leasedBytes()).isZero();
  }

  @Test
  void shouldRegisterListAndUnregister() {
    assertThat(
            await(server.api.serverMetadata(ServerMetadataRequest.getDefaultInstance()))
                .getExtensionsList())
        .contains("system_shared_memory");
    try (ShmFile object = ShmFile.of(new byte[32])) {
      SystemSharedMemoryRegisterRequest part =
          SystemSharedMemoryRegisterRequest.newBuilder()
              .setName("r")
              .setKey(object.key())
              .setOffset(8)
              .setByteSize(16)
              .build();
      assertThat(register(part).status()).isEqualTo(GrpcStatus.OK);
      assertThat(register(part).status()).isEqualTo(GrpcStatus.ALREADY_EXISTS);
      RegionStatus listed =
          RegionStatus.newBuilder()
              .setName("r")
              .setKey(object.key())
              .setOffset(8)
              .setByteSize(16)
              .build();
      assertThat(status("").body().getRegionsMap()).containsExactly(Map.entry("r", listed));
      assertThat(status("r").body().getRegionsMap()).hasSize(1);
      unregister("r");
      assertThat(status("r").status()).isEqualTo(GrpcStatus.NOT_FOUND);
      Answer<SystemSharedMemoryRegisterResponse> wrapped =
          register(part.toBuilder().setOffset(-8L).build());
      assertThat(wrapped.status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
      assertThat(wrapped.message())
          .isEqualTo("failed to register shared memory region 'r': invalid args");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 40_000, LONG})
  void shouldTakeInputsFromAndWriteOutputsToRegions(int bytes) {
    byte[] data = new byte[bytes];
    Arrays.fill(data, (byte) 7);
    try (ShmFile in = ShmFile.of(data);
        ShmFile out = ShmFile.of(new byte[bytes + 4])) {
      register("in", in, bytes);
      register("out", out, bytes + 4);
      Answer<ModelInferResponse> answer =
          server.infer(
              infer("identity").addInputs(input("in", bytes)).addOutputs(output("out", 4, bytes)));
      assertThat(answer.status()).as(answer.message()).isEqualTo(GrpcStatus.OK);
      assertThat(answer.body().getRawOutputContentsList()).containsExactly(ByteString.EMPTY);
      assertThat(answer.body().getOutputs(0).getParametersMap())
          .containsEntry("shared_memory_region", string("out"))
          .containsEntry("shared_memory_offset", integer(4))
          .containsEntry("shared_memory_byte_size", integer(bytes));
      assertThat(Arrays.copyOfRange(out.bytes(), 4, bytes + 4)).isEqualTo(data);
    }
  }

  @Test
  void shouldTakeRawContentsForTheInputsThatAreInNoRegion() {
    try (ShmFile in = ShmFile.of(new byte[] {1, 2, 3, 4})) {
      register("in", in, 4);
      ModelInferRequest.Builder mixed =
          infer("identity")
              .addInputs(input("in", 4))
              .addInputs(GrpcFixture.input("INPUT1", "UINT8", 2))
              .addRawInputContents(ByteString.copyFrom(new byte[] {8, 9}));
      Answer<ModelInferResponse> answer = server.infer(mixed.clone());
      assertThat(answer.body().getRawOutputContentsList())
          .containsExactly(
              ByteString.copyFrom(new byte[] {1, 2, 3, 4}), ByteString.copyFrom(new byte[] {8, 9}));
      Answer<ModelInferResponse> surplus =
          server.infer(mixed.addRawInputContents(ByteString.copyFrom(new byte[4])));
      assertThat(surplus.status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
      assertThat(surplus.message()).contains("each of the 1 inputs of model 'identity', got 2");
    }
  }

  @Test
  void shouldFinishWhatUsesARegionThatIsUnregistered() {
    byte[] data = {1, 2, 3, 4};
    try (ShmFile both = ShmFile.of(Arrays.copyOf(data, 8))) {
      register("both", both, 8);
      server.gateway.hold();
      GrpcClientRequest<ModelInferRequest, ModelInferResponse> call =
          await(server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelInfer));
      Future<Answer<ModelInferResponse>> answer =
          server.start(
              call,
              infer("identity")
                  .addInputs(input("both", 4))
                  .addOutputs(output("both", 4, 4))
                  .build());
      Held waiting = server.gateway.nextHeld();
      unregister("both");
      both.write(0, new byte[4]); // the request has its own copy by now
      assertThat(server.gateway.answer(waiting)).isTrue();
      assertThat(await(answer).status()).isEqualTo(GrpcStatus.OK);
      assertThat(both.bytes()).containsExactly(0, 0, 0, 0, 1, 2, 3, 4);
    }
  }

  @Test
  void shouldFailTheAnswerOfARegionThatWasCutShort() {
    try (ShmFile out = ShmFile.of(new byte[4])) {
      register("out", out, 4);
      out.truncate(2);
      Answer<ModelInferResponse> answer =
          server.infer(GrpcFixture.raw("UINT8", new byte[4], 4).addOutputs(output("out", 0, 4)));
      assertThat(answer.status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
      assertThat(out.bytes()).hasSize(2);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8, LONG})
  void shouldServeStreamsAndGoOnAfterARegionThatWasCutShort(int bytes) throws Exception {
    try (ShmFile in = ShmFile.of(new byte[bytes]);
        ShmFile out = ShmFile.of(new byte[bytes])) {
      register("in", in, bytes);
      register("out", out, bytes);
      BlockingQueue<ModelStreamInferResponse> answers = new LinkedBlockingQueue<>();
      GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> stream =
          await(
              server.client.request(
                  server.address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));
      Future<?> opened = stream.response().map(response -> response.handler(answers::add));
      ModelInferRequest request =
          infer("identity")
              .addInputs(input("in", bytes))
              .addOutputs(output("out", 0, bytes))
              .build();
      byte[] data = new byte[bytes];
      Arrays.fill(data, (byte) 5);
      in.write(0, data);
      stream.write(request);
      await(opened);
      assertThat(next(answers).getErrorMessage()).isEmpty();
      assertThat(out.bytes()).isEqualTo(data);
      in.truncate(bytes - 1);
      stream.write(request);
      assertThat(next(answers).getErrorMessage())
          .isEqualTo("shared memory region 'in' has become shorter than it was registered");
      stream.write(GrpcFixture.raw("UINT8", new byte[4], 4).build());
      assertThat(next(answers).getErrorMessage()).isEmpty();
      stream.end();
    }
  }

  private static ModelStreamInferResponse next(BlockingQueue<ModelStreamInferResponse> answers)
      throws InterruptedException {
    ModelStreamInferResponse next = answers.poll(60, TimeUnit.SECONDS);
    if (next == null) {
      throw new AssertionError("no answer");
    }
    return next;
  }

  private Answer<SystemSharedMemoryRegisterResponse> register(
      SystemSharedMemoryRegisterRequest request) {
    return server.call(GRPCInferenceServiceGrpcClient.SystemSharedMemoryRegister, request);
  }

  private void register(String name, ShmFile object, int bytes) {
    Answer<SystemSharedMemoryRegisterResponse> answer =
        register(
            SystemSharedMemoryRegisterRequest.newBuilder()
                .setName(name)
                .setKey(object.key())
                .setByteSize(bytes)
                .build());
    assertThat(answer.status()).as(answer.message()).isEqualTo(GrpcStatus.OK);
  }

  private Answer<SystemSharedMemoryStatusResponse> status(String name) {
    return server.call(
        GRPCInferenceServiceGrpcClient.SystemSharedMemoryStatus,
        SystemSharedMemoryStatusRequest.newBuilder().setName(name).build());
  }

  private void unregister(String name) {
    await(
        server.api.systemSharedMemoryUnregister(
            SystemSharedMemoryUnregisterRequest.newBuilder().setName(name).build()));
  }

  private static InferInputTensor.Builder input(String region, int bytes) {
    return GrpcFixture.input("INPUT0", "UINT8", bytes)
        .putParameters("shared_memory_region", string(region))
        .putParameters("shared_memory_byte_size", integer(bytes));
  }

  private static InferRequestedOutputTensor.Builder output(String region, int offset, int bytes) {
    return InferRequestedOutputTensor.newBuilder()
        .setName("OUTPUT0")
        .putParameters("shared_memory_region", string(region))
        .putParameters("shared_memory_offset", integer(offset))
        .putParameters("shared_memory_byte_size", integer(bytes));
  }

  private static InferParameter string(String value) {
    return InferParameter.newBuilder().setStringParam(value).build();
  }

  private static InferParameter integer(long value) {
    return InferParameter.newBuilder().setInt64Param(value).build();
  }
}
