package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.infer;
import static dev.conveyor.verticles.grpc.GrpcFixture.input;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.grpc.GrpcFixture.Answer;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.InferTensorContents;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferRequestedOutputTensor;
import dev.conveyor.verticles.proto.ModelInferResponse;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.common.GrpcStatus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GrpcInferTest {

  private final GrpcFixture server = new GrpcFixture();

  @AfterEach
  void close() {
    server.close();
    assertThat(server.gateway.leasedBytes()).as("every response was closed").isZero();
  }

  @ParameterizedTest
  @EnumSource(value = DataType.class, names = "BYTES", mode = EnumSource.Mode.EXCLUDE)
  void shouldReturnRawDataOfEveryTypeUnchanged(DataType type) {
    byte[] data = new byte[6 * type.sizeBytes()];
    new Random(1).nextBytes(data);

    Answer<ModelInferResponse> answer = server.infer(raw(type.name(), data, 2, 3));

    assertThat(answer.status()).isEqualTo(GrpcStatus.OK);
    assertThat(answer.body().getRawOutputContents(0).toByteArray()).isEqualTo(data);
    assertThat(answer.body().getOutputs(0).getName()).isEqualTo("OUTPUT0");
    assertThat(answer.body().getOutputs(0).getDatatype()).isEqualTo(type.name());
    assertThat(answer.body().getOutputs(0).getShapeList()).containsExactly(2L, 3L);
    assertThat(answer.body().getOutputs(0).hasContents()).isFalse();
  }

  @Test
  void shouldReturnRawStringsUnchanged() {
    byte[] data = {3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0};

    Answer<ModelInferResponse> answer = server.infer(raw("BYTES", data, 2));

    assertThat(answer.body().getRawOutputContents(0).toByteArray()).isEqualTo(data);
  }

  @Test
  void shouldReadTypedContentsAsLittleEndianBytes() {
    assertTyped(
        "BOOL",
        c -> c.addBoolContents(true).addBoolContents(false),
        bytes(2).put((byte) 1).put((byte) 0));
    assertTyped(
        "INT8",
        c -> c.addIntContents(-128).addIntContents(127),
        bytes(2).put((byte) -128).put((byte) 127));
    assertTyped(
        "INT16",
        c -> c.addIntContents(-32768).addIntContents(2),
        bytes(4).putShort((short) -32768).putShort((short) 2));
    assertTyped(
        "INT32", c -> c.addIntContents(-3).addIntContents(4), bytes(8).putInt(-3).putInt(4));
    assertTyped(
        "INT64", c -> c.addInt64Contents(-3).addInt64Contents(4), bytes(16).putLong(-3).putLong(4));
    assertTyped(
        "UINT8",
        c -> c.addUintContents(255).addUintContents(0),
        bytes(2).put((byte) 255).put((byte) 0));
    assertTyped(
        "UINT16",
        c -> c.addUintContents(65535).addUintContents(1),
        bytes(4).putShort((short) -1).putShort((short) 1));
    assertTyped(
        "UINT32", c -> c.addUintContents(-1).addUintContents(1), bytes(8).putInt(-1).putInt(1));
    assertTyped(
        "UINT64",
        c -> c.addUint64Contents(-1).addUint64Contents(1),
        bytes(16).putLong(-1).putLong(1));
    assertTyped(
        "FP32",
        c -> c.addFp32Contents(1.5f).addFp32Contents(-2),
        bytes(8).putFloat(1.5f).putFloat(-2));
    assertTyped(
        "FP64",
        c -> c.addFp64Contents(1.5).addFp64Contents(-2),
        bytes(16).putDouble(1.5).putDouble(-2));
    assertTyped(
        "BYTES",
        c -> c.addBytesContents(ByteString.copyFromUtf8("é")).addBytesContents(ByteString.EMPTY),
        bytes(10).putInt(2).put("é".getBytes(StandardCharsets.UTF_8)).putInt(0));
  }

  @Test
  void shouldRefuseHalfPrecisionInTypedContents() {
    for (String type : new String[] {"FP16", "BF16"}) {
      Answer<ModelInferResponse> answer =
          server.infer(
              infer("identity")
                  .addInputs(
                      input("INPUT0", type, 1)
                          .setContents(InferTensorContents.newBuilder().addFp32Contents(1))));

      assertThat(answer.status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
      assertThat(answer.message()).contains("INPUT0", type, "raw_input_contents");
    }
  }

  @Test
  void shouldTakeScalarsAndEmptyTensors() {
    Answer<ModelInferResponse> scalar = server.infer(raw("INT32", new byte[] {1, 2, 3, 4}));
    assertThat(scalar.body().getOutputs(0).getShapeList()).isEmpty();
    assertThat(scalar.body().getRawOutputContents(0).toByteArray()).containsExactly(1, 2, 3, 4);

    Answer<ModelInferResponse> empty = server.infer(raw("FP64", new byte[0], 3, 0, 2));
    assertThat(empty.body().getOutputs(0).getShapeList()).containsExactly(3L, 0L, 2L);
    assertThat(empty.body().getRawOutputContents(0).size()).isZero();
  }

  @Test
  void shouldEchoIdAndNameTheVersionThatServed() {
    ModelInferRequest.Builder request = raw("UINT8", new byte[] {1}, 1).setId("q-7");

    assertThat(server.infer(request).body().getModelVersion()).isEqualTo("3");
    ModelInferResponse first = server.infer(request.setModelVersion("1")).body();
    assertThat(first.getModelVersion()).isEqualTo("1");
    assertThat(first.getModelName()).isEqualTo("identity");
    assertThat(first.getId()).isEqualTo("q-7");
  }

  @Test
  void shouldReturnOnlyTheRequestedOutputsInTheirOrder() {
    ModelInferRequest.Builder request =
        infer("identity")
            .addInputs(input("INPUT0", "UINT8", 1))
            .addInputs(input("INPUT1", "UINT8", 1))
            .addRawInputContents(ByteString.copyFrom(new byte[] {10}))
            .addRawInputContents(ByteString.copyFrom(new byte[] {11}));

    assertThat(server.infer(request).body().getOutputsCount()).isEqualTo(2);
    ModelInferResponse swapped =
        server.infer(request.addOutputs(output("OUTPUT1")).addOutputs(output("OUTPUT0"))).body();
    assertThat(swapped.getOutputs(0).getName()).isEqualTo("OUTPUT1");
    assertThat(swapped.getRawOutputContents(0).byteAt(0)).isEqualTo((byte) 11);
    assertThat(swapped.getRawOutputContents(1).byteAt(0)).isEqualTo((byte) 10);

    Answer<ModelInferResponse> unknown = server.infer(request.addOutputs(output("OUTPUT9")));
    assertThat(unknown.status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(unknown.message())
        .isEqualTo("unexpected inference output 'OUTPUT9' for model 'identity'");
  }

  @Test
  void shouldReturnClassesWithLabelsPerBatchItem() {
    ByteBuffer scores = bytes(24);
    for (float score : new float[] {0.1f, 0.7f, 0.2f, 3, 1, 2}) {
      scores.putFloat(score);
    }
    ModelInferRequest.Builder request =
        raw("FP32", content(scores), 2, 3)
            .addOutputs(output("OUTPUT0").putParameters("classification", integer(2)));

    ModelInferResponse answer = server.infer(request).body();

    assertThat(answer.getOutputs(0).getDatatype()).isEqualTo("BYTES");
    assertThat(answer.getOutputs(0).getShapeList()).containsExactly(2L, 2L);
    assertThat(answer.getRawOutputContents(0).toStringUtf8())
        .contains("0.700000:1:dog", "0.200000:2", "3.000000:0:cat", "2.000000:2");
  }

  @Test
  void shouldPassPriorityAndTimeoutAndRefuseWhatIsNotSupported() {
    ModelInferRequest.Builder request = raw("UINT8", new byte[] {1}, 1);
    request
        .putParameters("priority", InferParameter.newBuilder().setUint64Param(2).build())
        .putParameters("timeout", integer(1500))
        .putParameters("sequence_id", integer(0))
        .putParameters("my_own", integer(5));
    assertThat(server.infer(request).status()).isEqualTo(GrpcStatus.OK);
    assertThat(server.gateway.lastCall().priority()).isEqualTo(2);
    assertThat(server.gateway.lastCall().timeoutMicros()).isEqualTo(1500);
    assertThat(server.gateway.lastCall().deadlineNs()).isEqualTo(InferenceRequest.NO_DEADLINE);

    request.putParameters("sequence_id", integer(4));
    assertThat(server.infer(request).status()).isEqualTo(GrpcStatus.UNIMPLEMENTED);

    request.clearParameters().putParameters("timeout", integer(-1));
    assertThat(server.infer(request).status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);

    request
        .clearParameters()
        .putParameters("priority", InferParameter.newBuilder().setStringParam("high").build());
    assertThat(server.infer(request).message()).contains("'priority'", "int64_param");
  }

  @Test
  void shouldRefuseSharedMemoryByName() {
    InferParameter region = InferParameter.newBuilder().setStringParam("r").build();
    InferParameter size = InferParameter.newBuilder().setInt64Param(4).build();
    Answer<ModelInferResponse> in =
        server.infer(
            infer("identity")
                .addInputs(
                    input("INPUT0", "FP32", 1)
                        .putParameters("shared_memory_region", region)
                        .putParameters("shared_memory_byte_size", size)));
    Answer<ModelInferResponse> out =
        server.infer(
            raw("UINT8", new byte[] {1}, 1)
                .addOutputs(
                    output("OUTPUT0")
                        .putParameters("shared_memory_region", region)
                        .putParameters("shared_memory_byte_size", size)));

    assertThat(in.status()).isEqualTo(GrpcStatus.UNIMPLEMENTED);
    assertThat(in.message())
        .isEqualTo("shared memory is not enabled: limits.max_shared_memory_regions is 0");
    assertThat(out.message()).isEqualTo(in.message());
  }

  @Test
  void shouldCarryMessagesAsLargeAsTheLimit() {
    byte[] data = new byte[GrpcFixture.MAX_MESSAGE_BYTES - 100];
    new Random(2).nextBytes(data);

    Answer<ModelInferResponse> answer = server.infer(raw("UINT8", data, data.length));

    assertThat(answer.status()).isEqualTo(GrpcStatus.OK);
    assertThat(answer.body().getRawOutputContents(0)).isEqualTo(ByteString.copyFrom(data));
  }

  @Test
  void shouldAnswerCompressedCallsCompressed() {
    byte[] data = new byte[100_000];
    GrpcClientRequest<ModelInferRequest, ModelInferResponse> call =
        GrpcFixture.await(
            server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelInfer));

    Answer<ModelInferResponse> answer =
        server.send(call.encoding("gzip"), raw("UINT8", data, data.length).build());

    assertThat(answer.status()).isEqualTo(GrpcStatus.OK);
    assertThat(answer.encoding()).isEqualTo("gzip");
    assertThat(answer.body().getRawOutputContents(0)).isEqualTo(ByteString.copyFrom(data));
  }

  @ParameterizedTest
  @EnumSource(ErrorCode.class)
  void shouldMapEveryFailureOfTheLine(ErrorCode code) {
    server.gateway.failWith(new InferenceException(code, "100 % busy, später"));

    Answer<ModelInferResponse> answer = server.infer(raw("UINT8", new byte[] {1}, 1));

    assertThat(answer.status()).isEqualTo(GrpcStatusMapping.of(code)).isNotEqualTo(GrpcStatus.OK);
    assertThat(answer.message()).isEqualTo("100 % busy, später");
  }

  private void assertTyped(
      String type, UnaryOperator<InferTensorContents.Builder> contents, ByteBuffer expected) {
    Answer<ModelInferResponse> answer =
        server.infer(
            infer("identity")
                .addInputs(
                    input("INPUT0", type, 2)
                        .setContents(contents.apply(InferTensorContents.newBuilder()))));

    assertThat(answer.status()).as("%s: %s", type, answer.message()).isEqualTo(GrpcStatus.OK);
    assertThat(answer.body().getRawOutputContents(0).toByteArray())
        .as(type)
        .isEqualTo(content(expected));
  }

  private static byte[] content(ByteBuffer written) {
    return ByteString.copyFrom(written.flip()).toByteArray();
  }

  private static ByteBuffer bytes(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static InferParameter integer(long value) {
    return InferParameter.newBuilder().setInt64Param(value).build();
  }

  private static InferRequestedOutputTensor.Builder output(String name) {
    return InferRequestedOutputTensor.newBuilder().setName(name);
  }
}
