package dev.conveyor.verticles;

import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.verticles.bus.BusFrontEnd;
import dev.conveyor.verticles.grpc.GrpcFrontEnd;
import dev.conveyor.verticles.grpc.GrpcOptions;
import dev.conveyor.verticles.http.HttpFrontEnd;
import dev.conveyor.verticles.http.HttpFrontEndOptions;
import dev.conveyor.verticles.http.HttpServices;
import dev.conveyor.verticles.metrics.MetricsFrontEnd;
import dev.conveyor.verticles.metrics.MetricsReport;
import dev.conveyor.verticles.page.LivePage;
import io.vertx.core.Deployable;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * The front ends of one server: what the configuration makes of each, their deployment, and the
 * ports that they are on.
 *
 * <p>Thread-confined: opened and closed on the context of the server.
 */
final class FrontEnds {

  private static final int IDLE_TIMEOUT_SECONDS = 300;

  private final Vertx vertx;
  private final ServerConfig config;
  private final HttpFrontEnd http;
  private final GrpcFrontEnd grpc;
  private final MetricsFrontEnd metrics;
  private final BusFrontEnd bus;
  private final LivePage page;
  private final Deque<String> deployed = new ArrayDeque<>();

  /**
   * Prepares them; no port is open yet.
   *
   * @param services of the whole server, whose gateway takes inputs wherever they are
   * @param pinning the same gateway, for those whose messages are on the heap
   */
  FrontEnds(
      Vertx vertx,
      ServerConfig config,
      HttpServices services,
      InferenceGateway pinning,
      MetricsReport report,
      LivePage page) {
    this.vertx = vertx;
    this.config = config;
    this.http = new HttpFrontEnd(services, httpOptions(config), page::mount);
    this.grpc =
        new GrpcFrontEnd(
            grpcOptions(config),
            pinning,
            services.door(),
            services.requestMemory(),
            services.catalog(),
            services.repository(),
            services.regions(),
            served -> ModelConfigWriter.toProto(served.config()));
    this.metrics = new MetricsFrontEnd(config.metrics().host(), config.metrics().port(), report);
    this.bus =
        new BusFrontEnd(
            pinning,
            services.door(),
            services.catalog(),
            config.eventBus().addressPrefix(),
            maxMessageBytes(config),
            services.requestMemory());
    this.page = page;
  }

  private static HttpFrontEndOptions httpOptions(ServerConfig config) {
    return new HttpFrontEndOptions(
        config.http().host(),
        config.http().port(),
        maxMessageBytes(config),
        config.limits().maxConnections(),
        config.limits().maxHeaderBytes(),
        IDLE_TIMEOUT_SECONDS,
        config.limits().bodyTimeout().toMillis(),
        config.shutdownGrace().toMillis());
  }

  private static GrpcOptions grpcOptions(ServerConfig config) {
    return new GrpcOptions(
        config.grpc().host(),
        config.grpc().port(),
        maxMessageBytes(config),
        GrpcOptions.DEFAULT_MAX_IN_FLIGHT_PER_STREAM,
        config.limits().maxConnections(),
        config.limits().bodyTimeout().toMillis(),
        GrpcOptions.DEFAULT_IDLE_MILLIS,
        config.shutdownGrace().toMillis());
  }

  private static int maxMessageBytes(ServerConfig config) {
    return Math.toIntExact(config.limits().maxMessageBytes());
  }

  /**
   * Opens them, one after the other. Fails with the first that cannot; those before it are open.
   */
  Future<Void> open() {
    return deploy(http)
        .compose(v -> deploy(grpc))
        .compose(v -> deploy(metrics))
        .compose(v -> config.eventBus().enabled() ? deploy(bus) : Future.succeededFuture())
        .compose(v -> deploy(page));
  }

  private Future<Void> deploy(Deployable verticle) {
    return vertx.deployVerticle(verticle).onSuccess(deployed::addLast).mapEmpty();
  }

  /**
   * Closes those that are open, all at once, so that no port takes connections any more and they
   * share one grace period.
   */
  Future<Void> close() {
    List<Future<Void>> leaving = new ArrayList<>();
    while (!deployed.isEmpty()) {
      leaving.add(vertx.undeploy(deployed.removeLast()));
    }
    return leaving.isEmpty() ? Future.succeededFuture() : Future.join(leaving).mapEmpty();
  }

  int httpPort() {
    return http.actualPort();
  }

  int grpcPort() {
    return grpc.actualPort();
  }

  int metricsPort() {
    return metrics.actualPort();
  }
}
