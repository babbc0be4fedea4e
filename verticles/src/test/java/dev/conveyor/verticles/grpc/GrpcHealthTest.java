package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.grpc.GrpcFixture.Answer;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.common.GrpcMessageDecoder;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.GrpcStatus;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import io.vertx.grpc.health.v1.HealthCheckRequest;
import io.vertx.grpc.health.v1.HealthCheckResponse;
import io.vertx.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.vertx.grpc.health.v1.HealthListRequest;
import io.vertx.grpc.health.v1.HealthListResponse;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GrpcHealthTest {

  private static final ServiceName HEALTH = ServiceName.create("grpc.health.v1", "Health");

  private static final ServiceMethod<HealthCheckResponse, HealthCheckRequest> CHECK =
      health("Check");
  private static final ServiceMethod<HealthCheckResponse, HealthCheckRequest> WATCH =
      health("Watch");
  private static final ServiceMethod<HealthListResponse, HealthListRequest> LIST =
      ServiceMethod.client(
          HEALTH,
          "List",
          GrpcMessageEncoder.encoder(),
          GrpcMessageDecoder.decoder(HealthListResponse.newBuilder()));
  private final GrpcFixture server = new GrpcFixture();

  @AfterEach
  void close() {
    server.close();
  }

  @Test
  void shouldTellTheHealthOfServerServiceAndModels() {
    assertThat(check("").body().getStatus()).isEqualTo(ServingStatus.SERVING);
    assertThat(check("inference.GRPCInferenceService").body().getStatus())
        .isEqualTo(ServingStatus.SERVING);
    assertThat(check("pixels").body().getStatus()).isEqualTo(ServingStatus.SERVING);
    assertThat(check("none").status()).isEqualTo(GrpcStatus.NOT_FOUND);

    server.repository.ready = false;
    server.catalog.withdraw("pixels", "unloaded");
    assertThat(check("").body().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
    assertThat(check("pixels").body().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
  }

  @Test
  void shouldListEveryHealth() {
    HealthListResponse list = server.call(LIST, HealthListRequest.getDefaultInstance()).body();

    assertThat(list.getStatusesMap())
        .containsOnlyKeys("", "inference.GRPCInferenceService", "identity", "pixels");
  }

  @Test
  void shouldTellWatchersWhatChangesUntilTheServerStops() throws InterruptedException {
    BlockingQueue<ServingStatus> told = new LinkedBlockingQueue<>();
    GrpcClientRequest<HealthCheckRequest, HealthCheckResponse> watch =
        await(server.client.request(server.address, WATCH));
    watch
        .response()
        .onSuccess(response -> response.handler(health -> told.add(health.getStatus())));
    watch.end(request("pixels"));

    assertThat(told.poll(60, TimeUnit.SECONDS)).isEqualTo(ServingStatus.SERVING);
    server.catalog.withdraw("pixels", "unloaded");
    assertThat(told.poll(60, TimeUnit.SECONDS)).isEqualTo(ServingStatus.NOT_SERVING);
    server.catalog.publish("pixels", server.catalog.versions("identity"));
    assertThat(told.poll(60, TimeUnit.SECONDS)).isEqualTo(ServingStatus.SERVING);

    await(server.vertx.undeploy(server.deploymentId));
    assertThat(told.poll(60, TimeUnit.SECONDS)).isEqualTo(ServingStatus.NOT_SERVING);
    GrpcStatus end =
        await(watch.response().compose(response -> response.end().map(ended -> response.status())));
    assertThat(end).isEqualTo(GrpcStatus.OK);
  }

  private Answer<HealthCheckResponse> check(String service) {
    return server.call(CHECK, request(service));
  }

  private static HealthCheckRequest request(String service) {
    return HealthCheckRequest.newBuilder().setService(service).build();
  }

  private static ServiceMethod<HealthCheckResponse, HealthCheckRequest> health(String method) {
    return ServiceMethod.client(
        HEALTH,
        method,
        GrpcMessageEncoder.encoder(),
        GrpcMessageDecoder.decoder(HealthCheckResponse.newBuilder()));
  }
}
