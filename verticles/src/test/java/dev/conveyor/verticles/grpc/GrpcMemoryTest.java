package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.infer;
import static dev.conveyor.verticles.grpc.GrpcFixture.input;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.InferTensorContents;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.proto.ServerLiveRequest;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.common.GrpcStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What messages count for while they arrive, and what becomes of them while memory is short. */
class GrpcMemoryTest {

  private static final int LARGE = 300_000;

  private final GrpcFixture server = new GrpcFixture();

  @AfterEach
  void shouldHoldNothingInTheEnd() {
    awaitThat(() -> server.memory.leasedBytes() == 0);
    assertThat(server.memory.waiters()).isZero();
    server.close();
    assertThat(server.gateway.leasedBytes()).isZero();
  }

  @Test
  void shouldNotReadOnWhileTheMemoryOfRequestsIsShort() {
    Future<GrpcFixture.Answer<dev.conveyor.verticles.proto.ModelInferResponse>> answer;
    try (HeapShare most = server.memory.heapShare()) {
      assertThat(most.growTo(server.memory.maxBytes() * 9 / 10)).isTrue();
      answer =
          server.start(
              await(
                  server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelInfer)),
              raw("UINT8", new byte[2_000_000], 2_000_000).build());
      awaitThat(() -> server.memory.waiters() == 1);
      // Small ones are worth less than the waiting, on the same connection too.
      assertThat(server.infer(raw("UINT8", new byte[] {1}, 1)).status()).isEqualTo(GrpcStatus.OK);
      assertThat(answer.isComplete()).isFalse();
      assertThat(server.memory.leasedBytes()).isEqualTo(most.sizeBytes());
    }
    assertThat(await(answer).status()).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldRefuseWhenTooManyCallsOfAConnectionWait() {
    for (int round = 0; round < 2; round++) {
      List<Future<GrpcFixture.Answer<ModelInferResponse>>> waiting = new ArrayList<>();
      try (HeapShare most = server.memory.heapShare()) {
        assertThat(most.growTo(server.memory.maxBytes() * 9 / 10)).isTrue();
        for (int call = 0; call < WaitingCalls.MOST; call++) {
          waiting.add(large());
        }
        awaitThat(() -> server.memory.waiters() == WaitingCalls.MOST);
        var refused = await(large());
        assertThat(refused.status()).isEqualTo(GrpcStatus.UNAVAILABLE);
        assertThat(refused.message()).contains("8 calls of the connection wait");
        assertThat(server.memory.waiters()).isEqualTo(WaitingCalls.MOST);
      }
      for (var answer : waiting) {
        assertThat(await(answer).status()).isEqualTo(GrpcStatus.OK);
      }
    }
  }

  private Future<GrpcFixture.Answer<ModelInferResponse>> large() {
    return server.start(
        await(server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelInfer)),
        raw("UINT8", new byte[LARGE], LARGE).build());
  }

  @Test
  void shouldLetAStreamWaitToo() {
    GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> stream =
        await(
            server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));
    AtomicInteger answers = new AtomicInteger();
    Future<Void> over =
        stream
            .response()
            .compose(
                response -> {
                  response.handler(answer -> answers.incrementAndGet());
                  return response.end();
                });
    try (HeapShare most = server.memory.heapShare()) {
      assertThat(most.growTo(server.memory.maxBytes() * 9 / 10)).isTrue();
      stream.write(raw("UINT8", new byte[LARGE], LARGE).build());
      stream.end(raw("UINT8", new byte[LARGE], LARGE).build());
      awaitThat(() -> server.memory.waiters() == 1);
      assertThat(answers).hasValue(0);
    }
    await(over);
    assertThat(answers).hasValue(2);
  }

  @ParameterizedTest
  @ValueSource(strings = {"ModelInfer", "ModelStreamInfer"})
  void shouldCountWhatHasComeOfAMessageAndForgetItWithItsClient(String method) {
    HttpClientRequest half = open(method);
    half.write(
        Buffer.buffer().appendByte((byte) 0).appendInt(4_000_000).appendBytes(new byte[LARGE]));
    awaitThat(() -> server.memory.leasedBytes() == LARGE);

    half.reset();
  }

  @ParameterizedTest
  @ValueSource(strings = {"ModelInfer", "ModelStreamInfer"})
  void shouldForgetAMessageThatWaitsWithItsClient(String method) {
    try (HeapShare most = server.memory.heapShare()) {
      assertThat(most.growTo(server.memory.maxBytes() * 9 / 10)).isTrue();
      HttpClientRequest half = open(method);
      half.write(
          Buffer.buffer().appendByte((byte) 0).appendInt(4_000_000).appendBytes(new byte[LARGE]));
      awaitThat(() -> server.memory.waiters() == 1);

      half.reset();
      awaitThat(() -> server.memory.waiters() == 0);
    }
  }

  @Test
  void shouldCountTypedContents() {
    server.gateway.hold();
    InferTensorContents floats =
        InferTensorContents.newBuilder()
            .addAllFp32Contents(IntStream.range(0, 50_000).mapToObj(i -> (float) i).toList())
            .build();
    var answer =
        server.start(
            await(server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelInfer)),
            infer("identity")
                .addInputs(input("INPUT0", "FP32", 50_000).setContents(floats))
                .build());
    var held = server.gateway.nextHeld();

    assertThat(server.memory.leasedBytes()).isGreaterThanOrEqualTo(200_000);

    server.gateway.answer(held);
    assertThat(await(answer).status()).isEqualTo(GrpcStatus.OK);
  }

  private HttpClientRequest open(String method) {
    HttpClient http =
        server.vertx.createHttpClient(
            new HttpClientOptions()
                .setProtocolVersion(HttpVersion.HTTP_2)
                .setHttp2ClearTextUpgrade(false));
    HttpClientRequest request =
        await(
            http.request(
                HttpMethod.POST,
                server.address.port(),
                "127.0.0.1",
                "/inference.GRPCInferenceService/" + method));
    return request.putHeader("content-type", "application/grpc").setChunked(true);
  }

  /** Asks the server something meanwhile, which gives it its turn. */
  private void awaitThat(BooleanSupplier condition) {
    long begin = System.nanoTime();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - begin > TimeUnit.SECONDS.toNanos(60)) {
        throw new AssertionError(
            "leased %d, waiting %d"
                .formatted(server.memory.leasedBytes(), server.memory.waiters()));
      }
      await(server.api.serverLive(ServerLiveRequest.getDefaultInstance()));
    }
  }
}
