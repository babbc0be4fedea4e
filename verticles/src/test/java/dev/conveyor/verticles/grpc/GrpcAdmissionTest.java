package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcStatus;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Who is let in over gRPC, and what the others are told. */
class GrpcAdmissionTest {

  private final GrpcFixture server = new GrpcFixture();

  @AfterEach
  void close() {
    server.close();
    assertThat(server.gateway.leasedBytes()).isZero();
  }

  @Test
  void shouldBeUnavailableWithTheReasonAndTheTimeToWait() {
    load(new ModelLoad(7, 7, 0, 1, true, 0, speed(), System.nanoTime() + 60_000_000_000L, 0, 0));
    var refused = send(call());

    assertThat(refused.status()).isEqualTo(GrpcStatus.UNAVAILABLE);
    assertThat(refused.statusMessage()).contains("exceeds maximum queue size: 7 requests wait");
    assertThat(metadata(refused, "refusal-reason")).isEqualTo("queue_full");
    assertThat(Integer.parseInt(metadata(refused, "grpc-retry-pushback-ms"))).isBetween(1, 60_000);
  }

  @Test
  void shouldRefuseADeadlineThatCannotBeMet() {
    ModelLoad busy =
        new ModelLoad(0, 0, 0, 1, false, 0, speed(), System.nanoTime() + 60_000_000_000L, 0, 0);
    load(busy);
    var late = call();
    late.timeout(5, TimeUnit.SECONDS);
    var refused = send(late);
    assertThat(refused.status()).isEqualTo(GrpcStatus.UNAVAILABLE);
    assertThat(metadata(refused, "refusal-reason")).isEqualTo("deadline");

    var patient = call();
    patient.timeout(10, TimeUnit.MINUTES);
    assertThat(send(patient).status()).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldWeighTheTensorsAndNotTheWholeMessage() {
    load(new ModelLoad(1, 1, 99, 1, false, 100, speed(), System.nanoTime(), 0, 0));
    assertThat(send(call()).status()).as("its byte fills the queue").isEqualTo(GrpcStatus.OK);
    load(new ModelLoad(1, 1, 100, 1, false, 100, speed(), System.nanoTime(), 0, 0));
    assertThat(metadata(send(call()), "refusal-reason")).isEqualTo("queue_bytes");
  }

  @Test
  void shouldHoldTenantsToTheirQuotasByMetadataOrParameter() {
    var first = call();
    first.headers().set("x-tenant", "limited");
    assertThat(send(first).status()).isEqualTo(GrpcStatus.OK);

    ModelInferRequest.Builder named =
        raw("UINT8", new byte[] {1}, 1)
            .putParameters("tenant", InferParameter.newBuilder().setStringParam("limited").build());
    var over = server.infer(named);
    assertThat(over.status()).isEqualTo(GrpcStatus.RESOURCE_EXHAUSTED);
    assertThat(over.message()).contains("tenant 'limited': over quota");

    ModelInferRequest.Builder wrong =
        raw("UINT8", new byte[] {1}, 1)
            .putParameters("tenant", InferParameter.newBuilder().setInt64Param(1).build());
    assertThat(server.infer(wrong).status()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
  }

  @Test
  void shouldTakeFromNoQuotaWhatFindsNoMemory() {
    byte[] large = new byte[100_000];
    ModelInferRequest.Builder limited =
        raw("UINT8", large, large.length)
            .putParameters("tenant", InferParameter.newBuilder().setStringParam("limited").build());
    try (HeapShare most = server.memory.shareOf("identity").heapShare()) {
      assertThat(most.growTo(server.memory.maxBytes() * 6 / 10)).isTrue();
      assertThat(server.infer(limited).status()).isEqualTo(GrpcStatus.UNAVAILABLE);
    }
    assertThat(server.catalog.find("identity", "").stats().refusals())
        .containsEntry(RefusalReason.REQUEST_MEMORY, 1L);
    assertThat(server.infer(limited).status()).as("its only one is left").isEqualTo(GrpcStatus.OK);
    assertThat(server.infer(limited).status()).isEqualTo(GrpcStatus.RESOURCE_EXHAUSTED);
  }

  @Test
  void shouldCountLargeMessagesAgainstTheMemoryOfRequests() {
    byte[] large = new byte[7_500_000];
    try (HeapShare most = server.memory.heapShare()) {
      // Below four fifths, where messages begin; but this one does not fit into the rest.
      assertThat(most.growTo(server.memory.maxBytes() * 78 / 100)).isTrue();
      var refused = server.infer(raw("UINT8", large, large.length));
      assertThat(refused.status()).isEqualTo(GrpcStatus.UNAVAILABLE);
      assertThat(refused.message()).contains("no memory for a message of 75000");
      assertThat(server.memory.leasedBytes()).isEqualTo(most.sizeBytes());
      assertThat(server.infer(raw("UINT8", new byte[] {1}, 1)).status()).isEqualTo(GrpcStatus.OK);
    }
    assertThat(server.infer(raw("UINT8", large, large.length)).status()).isEqualTo(GrpcStatus.OK);
    assertThat(server.memory.leasedBytes()).isZero();
  }

  @Test
  void shouldBoundConnectionsAndThePatienceWithCallsThatSendNothing() {
    GrpcOptions strict =
        new GrpcOptions("127.0.0.1", 0, GrpcFixture.MAX_MESSAGE_BYTES, 4, 1, 1000, 60_000, 1000);
    try (GrpcFixture small = new GrpcFixture(strict)) {
      HttpClient http =
          small.vertx.createHttpClient(
              new HttpClientOptions()
                  .setProtocolVersion(HttpVersion.HTTP_2)
                  .setHttp2ClearTextUpgrade(false));
      HttpClientRequest silent =
          await(
              http.request(
                  HttpMethod.POST,
                  small.frontEnd.actualPort(),
                  "127.0.0.1",
                  "/inference.GRPCInferenceService/ModelInfer"));
      silent.putHeader("content-type", "application/grpc").putHeader("te", "trailers");
      var late = silent.response();
      await(silent.sendHead());
      assertThat(await(late).getHeader("grpc-status"))
          .isEqualTo(Integer.toString(GrpcStatus.DEADLINE_EXCEEDED.code));
      assertThat(await(late).getHeader("grpc-message")).contains("100");

      GrpcClient second = GrpcClient.client(small.vertx);
      var refused =
          second
              .request(small.address, GRPCInferenceServiceGrpcClient.ModelInfer)
              .compose(
                  call ->
                      call.end(raw("UINT8", new byte[] {1}, 1).build())
                          .compose(sent -> call.response()));
      assertThat(await(refused.map("answered").otherwise("hung up"))).isEqualTo("hung up");
      await(second.close());
    }
  }

  private void load(ModelLoad load) {
    server.catalog.find("identity", "").door().load().set(load);
  }

  private GrpcClientRequest<ModelInferRequest, ModelInferResponse> call() {
    return await(server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelInfer));
  }

  private static GrpcClientResponse<ModelInferRequest, ModelInferResponse> send(
      GrpcClientRequest<ModelInferRequest, ModelInferResponse> call) {
    var answered =
        call.response().compose(response -> response.end().otherwiseEmpty().map(response));
    return await(call.end(raw("UINT8", new byte[] {1}, 1).build()).compose(sent -> answered));
  }

  /** The library shows the trailers of a call without messages as headers. */
  private static String metadata(GrpcClientResponse<?, ?> response, String key) {
    String trailer = response.trailers().get(key);
    return trailer == null ? response.headers().get(key) : trailer;
  }

  private static ModelLoad.Speed speed() {
    return new ModelLoad.Speed(1, 1, 1_000_000, 1_000_000);
  }
}
