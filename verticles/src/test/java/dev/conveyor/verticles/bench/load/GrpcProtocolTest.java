package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.UnknownFieldSet;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.grpc.common.GrpcMessageDecoder;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.GrpcStatus;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import io.vertx.grpc.server.GrpcServer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GrpcProtocolTest {

  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final Vertx vertx = Vertx.vertx();
  private final List<Buffer> got = new CopyOnWriteArrayList<>();
  private LoadDriver driver;

  @BeforeEach
  void connect() throws Exception {
    GrpcServer grpc = GrpcServer.server(vertx);
    grpc.callHandler(
        method("ModelMetadata"),
        call ->
            call.response()
                .end(
                    Buffer.buffer(
                        UnknownFieldSet.newBuilder()
                            .addField(
                                4,
                                UnknownFieldSet.Field.newBuilder()
                                    .addLengthDelimited(
                                        GrpcPayloadTest.tensor("x", "INT32", true, -1, 2)
                                            .toByteString())
                                    .build())
                            .build()
                            .toByteArray())));
    grpc.callHandler(
        method("ModelInfer"),
        call ->
            call.handler(
                request -> {
                  got.add(request);
                  if (request.toString().contains("bad")) {
                    call.response()
                        .status(GrpcStatus.UNAVAILABLE)
                        .statusMessage("queue full")
                        .end();
                  } else {
                    call.response().end(Buffer.buffer());
                  }
                }));
    HttpServer server =
        vertx
            .createHttpServer()
            .requestHandler(grpc)
            .listen(0, "127.0.0.1")
            .await(60, TimeUnit.SECONDS);
    driver =
        LoadDriver.connect(
            LoadProtocols.find("grpc"),
            new LoadTarget("127.0.0.1", server.actualPort(), 1, LIMIT, null));
  }

  @AfterEach
  void close() throws Exception {
    driver.close();
    vertx.close().await(60, TimeUnit.SECONDS);
  }

  @Test
  void shouldReadInputsFromTheModelsMetadata() throws Exception {
    assertThat(driver.inputs("m"))
        .containsExactly(new TensorSpec("x", DataType.INT32, Shape.of(-1, 2)));
  }

  @Test
  void shouldSendTheSameBytesEveryTime() throws Exception {
    InferPayload payload = payload("good");

    driver.send(driver.lane("good", List.of(payload)), 5, 2, LIMIT);

    assertThat(got).hasSize(5).containsOnly(GrpcPayload.inferRequest(payload));
  }

  @Test
  void shouldFailWithStatusAndMessageWhenARequestIsRefused() {
    Lane lane = driver.lane("bad", List.of(payload("bad")));

    assertThatThrownBy(() -> driver.send(lane, 1, 1, LIMIT))
        .hasMessage("gRPC UNAVAILABLE: queue full");
  }

  private static InferPayload payload(String model) {
    return Payloads.synthetic(
            model,
            List.of(new TensorSpec("x", DataType.INT32, Shape.of(-1, 2))),
            List.of(),
            1,
            Payloads.Fill.RANDOM)
        .get(0);
  }

  private static ServiceMethod<Buffer, Buffer> method(String name) {
    return ServiceMethod.server(
        ServiceName.create("inference", "GRPCInferenceService"),
        name,
        GrpcMessageEncoder.IDENTITY,
        GrpcMessageDecoder.IDENTITY);
  }
}
