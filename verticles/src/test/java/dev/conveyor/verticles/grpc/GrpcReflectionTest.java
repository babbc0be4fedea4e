package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.InvalidProtocolBufferException;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcMessageDecoder;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.GrpcStatus;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import io.vertx.grpc.reflection.v1.ServerReflectionRequest;
import io.vertx.grpc.reflection.v1.ServerReflectionResponse;
import io.vertx.grpc.reflection.v1.ServiceResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What tools such as grpcurl ask, one question after the other on one stream. */
class GrpcReflectionTest {

  private final GrpcFixture server = new GrpcFixture();
  private final BlockingQueue<ServerReflectionResponse> answers = new LinkedBlockingQueue<>();

  @AfterEach
  void close() {
    server.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"grpc.reflection.v1", "grpc.reflection.v1alpha"})
  void shouldAnswerQuestionAfterQuestion(String version) throws Exception {
    GrpcClientRequest<ServerReflectionRequest, ServerReflectionResponse> stream =
        await(server.client.request(server.address, method(version)));
    // Before the first question: from this thread the first answer could be over before anybody
    // listened.
    stream.response().onSuccess(response -> response.handler(answers::add));
    ServerReflectionResponse list = ask(stream, request -> request.setListServices(""));
    assertThat(list.getListServicesResponse().getServiceList())
        .extracting(ServiceResponse::getName)
        .containsExactly(
            "inference.GRPCInferenceService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection");

    List<FileDescriptorProto> files =
        files(ask(stream, r -> r.setFileContainingSymbol("inference.GRPCInferenceService")));
    assertThat(files)
        .extracting(FileDescriptorProto::getName)
        .containsExactly("grpc_service.proto", "model_config.proto");
    assertThat(files.get(0).getService(0).getMethodList()).hasSize(20);
    assertThat(files.get(0).getDependencyList()).containsExactly("model_config.proto");

    for (String symbol :
        List.of(
            "inference.ModelConfig",
            "inference.ModelVersionPolicy.Latest",
            "inference.DataType",
            "inference.ModelInstanceGroup.Kind")) {
      assertThat(files(ask(stream, r -> r.setFileContainingSymbol(symbol))).get(0).getName())
          .as(symbol)
          .isEqualTo("model_config.proto");
    }
    assertThat(
            files(ask(stream, r -> r.setFileContainingSymbol(version + ".ServerReflection")))
                .get(0)
                .getPackage())
        .isEqualTo(version);
    assertThat(files(ask(stream, r -> r.setFileByFilename("model_config.proto")))).hasSize(1);

    assertThat(
            ask(stream, r -> r.setFileContainingSymbol("no.Such"))
                .getErrorResponse()
                .getErrorCode())
        .isEqualTo(GrpcStatus.NOT_FOUND.code);
    assertThat(ask(stream, r -> r).getErrorResponse().getErrorCode())
        .isEqualTo(GrpcStatus.INVALID_ARGUMENT.code);
    assertThat(
            ask(stream, r -> r.setAllExtensionNumbersOfType("inference.ModelConfig"))
                .getAllExtensionNumbersResponse()
                .getBaseTypeName())
        .isEqualTo("inference.ModelConfig");

    await(stream.end());
    GrpcClientResponse<ServerReflectionRequest, ServerReflectionResponse> response =
        await(stream.response());
    await(response.end());
    assertThat(response.status()).isEqualTo(GrpcStatus.OK);
  }

  private ServerReflectionResponse ask(
      GrpcClientRequest<ServerReflectionRequest, ServerReflectionResponse> stream,
      UnaryOperator<ServerReflectionRequest.Builder> question)
      throws InterruptedException {
    await(stream.write(question.apply(ServerReflectionRequest.newBuilder()).build()));
    ServerReflectionResponse answer = answers.poll(60, TimeUnit.SECONDS);
    assertThat(answer).isNotNull();
    return answer;
  }

  private static List<FileDescriptorProto> files(ServerReflectionResponse answer)
      throws InvalidProtocolBufferException {
    List<FileDescriptorProto> files = new ArrayList<>();
    for (ByteString file : answer.getFileDescriptorResponse().getFileDescriptorProtoList()) {
      files.add(FileDescriptorProto.parseFrom(file));
    }
    return files;
  }

  private static ServiceMethod<ServerReflectionResponse, ServerReflectionRequest> method(
      String version) {
    return ServiceMethod.client(
        ServiceName.create(version, "ServerReflection"),
        "ServerReflectionInfo",
        GrpcMessageEncoder.encoder(),
        GrpcMessageDecoder.decoder(ServerReflectionResponse.newBuilder()));
  }
}
