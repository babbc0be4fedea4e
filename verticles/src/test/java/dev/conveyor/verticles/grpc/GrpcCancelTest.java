package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.grpc.FakeGateway.Held;
import dev.conveyor.verticles.grpc.GrpcFixture.Answer;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import io.vertx.core.Future;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcStatus;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GrpcCancelTest {

  private final GrpcFixture server = new GrpcFixture();

  @BeforeEach
  void hold() {
    server.gateway.hold();
  }

  @AfterEach
  void close() {
    server.close();
    assertThat(server.gateway.leasedBytes()).isZero();
  }

  @Test
  void shouldGiveUpTheCallAndTellTheLineWhenTheClientCancels() {
    GrpcClientRequest<ModelInferRequest, ModelInferResponse> call = unary(server.client);
    call.end(request());
    Held held = server.gateway.nextHeld();

    call.cancel();

    assertThat(server.gateway.nextGivenUp()).isEqualTo("identity");
    assertThat(held.replyTo().isDone()).isTrue();
    assertThat(server.gateway.answer(held)).as("the late answer is not taken").isFalse();
  }

  @Test
  void shouldGiveUpTheCallWhenTheClientCancelsBeforeItsRequestIsComplete() {
    GrpcClientRequest<ModelInferRequest, ModelInferResponse> call = unary(server.client);
    call.write(request());
    Held held = server.gateway.nextHeld();

    call.cancel();

    assertThat(server.gateway.nextGivenUp()).isEqualTo("identity");
    assertThat(held.replyTo().isDone()).isTrue();
  }

  @Test
  void shouldGiveUpTheCallWhenTheConnectionCloses() {
    GrpcClient client = GrpcClient.client(server.vertx);
    GrpcClientRequest<ModelInferRequest, ModelInferResponse> call = unary(client);
    call.end(request());
    Held held = server.gateway.nextHeld();

    call.connection().close();

    assertThat(server.gateway.nextGivenUp()).isEqualTo("identity");
    assertThat(held.replyTo().isDone()).isTrue();
    await(client.close());
  }

  @Test
  void shouldGiveUpEveryCallOfAStreamThatIsCancelled() {
    GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> stream =
        await(
            server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));
    stream.write(request());
    stream.write(request());
    Held first = server.gateway.nextHeld();
    Held second = server.gateway.nextHeld();

    stream.cancel();

    assertThat(server.gateway.nextGivenUp()).isEqualTo("identity");
    assertThat(server.gateway.nextGivenUp()).isEqualTo("identity");
    assertThat(server.gateway.answer(first)).isFalse();
    assertThat(server.gateway.answer(second)).isFalse();
  }

  @Test
  void shouldAnswerWhenTheDeadlineHasPassedAndPassItOn() {
    long before = System.nanoTime();
    GrpcClientRequest<ModelInferRequest, ModelInferResponse> call = unary(server.client);
    call.timeout(1, TimeUnit.SECONDS);
    Future<Answer<ModelInferResponse>> answer = server.start(call, request());
    Held held = server.gateway.nextHeld();

    assertThat(await(answer).status()).isEqualTo(GrpcStatus.DEADLINE_EXCEEDED);
    long deadlineNs = held.call().deadlineNs();
    assertThat(System.nanoTime() - deadlineNs).isPositive();
    assertThat(deadlineNs - before).isGreaterThanOrEqualTo(TimeUnit.SECONDS.toNanos(1));
    assertThat(server.gateway.nextGivenUp()).isEqualTo("identity");
    assertThat(server.gateway.answer(held)).isFalse();
  }

  @Test
  void shouldEndAStreamAtItsDeadline() {
    GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> stream =
        await(
            server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));
    stream.timeout(1, TimeUnit.SECONDS);
    stream.write(request());

    GrpcStatus status =
        await(
            stream
                .response()
                .compose(response -> response.end().transform(end -> succeeded(response))));

    assertThat(status).isEqualTo(GrpcStatus.DEADLINE_EXCEEDED);
    assertThat(server.gateway.nextGivenUp()).isEqualTo("identity");
  }

  private static Future<GrpcStatus> succeeded(GrpcClientResponse<?, ?> response) {
    return Future.succeededFuture(response.status());
  }

  private static ModelInferRequest request() {
    return raw("UINT8", new byte[] {1}, 1).build();
  }

  private GrpcClientRequest<ModelInferRequest, ModelInferResponse> unary(GrpcClient client) {
    return await(client.request(server.address, GRPCInferenceServiceGrpcClient.ModelInfer));
  }
}
