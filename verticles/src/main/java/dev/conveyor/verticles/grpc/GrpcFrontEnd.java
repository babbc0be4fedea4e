package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.verticles.ConnectionWatch;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.Listening;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.ServerInfo;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.Http2Settings;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.grpc.common.GrpcHeaderNames;
import io.vertx.grpc.server.GrpcProtocol;
import io.vertx.grpc.server.GrpcServer;
import io.vertx.grpc.server.GrpcServerOptions;
import io.vertx.grpc.server.Service;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Actor that opens the gRPC port: inference, health and reflection.
 *
 * <p>Runs on one event loop and never blocks. Deadlines are its own, in nanoseconds and through the
 * call's {@link dev.conveyor.scheduler.ReplyTo}, because the library's are cut to milliseconds and
 * answer behind the back of a call that is still under way.
 */
public final class GrpcFrontEnd extends VerticleBase {

  /** What a client may send ahead per call; the protocol's 64 KiB make large tensors wait. */
  private static final int STREAM_WINDOW_BYTES = 1 << 20;

  private static final int CONNECTION_WINDOW_BYTES = 16 << 20;
  private static final int MAX_STREAMS_PER_CONNECTION = 1024;

  /** Clients cancel every call that misses its deadline: under overload that is no attack. */
  private static final int MAX_RESETS_PER_SECOND = 1000;

  private final GrpcOptions options;
  private final InferenceGateway gateway;
  private final FrontDoor door;
  private final BufferPool memory;
  private final ModelCatalog catalog;
  private final RepositoryControl repository;
  private final SharedMemoryRegions regions;
  private final Function<ServedModel, dev.conveyor.models.proto.ModelConfig> configWriter;

  private @Nullable HttpServer server;
  private @Nullable GrpcHealth health;
  private @Nullable InferRoute route;
  private int connections;

  /**
   * Creates a front end.
   *
   * @param memory what the messages of inferences under way count against
   * @param regions of shared memory that clients have registered
   * @param configWriter how a model's configuration looks on the wire
   */
  public GrpcFrontEnd(
      GrpcOptions options,
      InferenceGateway gateway,
      FrontDoor door,
      BufferPool memory,
      ModelCatalog catalog,
      RepositoryControl repository,
      SharedMemoryRegions regions,
      Function<ServedModel, dev.conveyor.models.proto.ModelConfig> configWriter) {
    this.options = options;
    this.gateway = gateway;
    this.door = door;
    this.memory = memory;
    this.catalog = catalog;
    this.repository = repository;
    this.regions = regions;
    this.configWriter = configWriter;
  }

  @Override
  public Future<?> start() {
    GrpcHealth watched = new GrpcHealth(vertx, catalog, repository);
    health = watched;
    InferRoute inferences = new InferRoute(vertx, gateway, door, memory, catalog, regions, options);
    route = inferences;
    GrpcServer grpc = GrpcServer.server(vertx, grpcOptions());
    List<Service> services =
        List.of(
            InferenceService.create(
                inferences,
                new ServerApi(catalog, repository, ServerInfo.extensions(regions), configWriter)),
            watched.service());
    services.forEach(grpc::addService);
    GrpcReflection.of(services).forEach(grpc::addService);
    HttpServer http = vertx.createHttpServer(httpOptions());
    server = http;
    http.connectionHandler(this::onConnection)
        .requestHandler(request -> handle(grpc, inferences, request));
    return Listening.at("grpc", options.host(), options.port(), http.listen())
        .compose(listening -> ConnectionWatch.knock(vertx, options.host(), http.actualPort()));
  }

  @Override
  public Future<?> stop() {
    if (health != null) {
      health.stop();
    }
    if (route != null) {
      route.stopStreams();
    }
    return server == null
        ? Future.succeededFuture()
        : server.shutdown(options.shutdownGraceMillis(), TimeUnit.MILLISECONDS);
  }

  /** Returns the port that is listened on; valid once the verticle is deployed. */
  public int actualPort() {
    if (server == null) {
      throw new IllegalStateException("not started");
    }
    return server.actualPort();
  }

  private void onConnection(HttpConnection connection) {
    ConnectionWatch.install(
        vertx.eventBus(), connection, options.bodyTimeoutMillis(), options.idleMillis());
    connections++;
    connection.closeHandler(v -> connections--);
    if (connections > options.maxConnections()) {
      connection.close();
    }
  }

  private static void handle(GrpcServer grpc, InferRoute route, HttpServerRequest request) {
    // A message marked as compressed in a call without this header would hang it.
    if (!request.headers().contains(GrpcHeaderNames.GRPC_ENCODING)) {
      request.headers().set(GrpcHeaderNames.GRPC_ENCODING, "identity");
    }
    route.dispatch(request, grpc);
  }

  private GrpcServerOptions grpcOptions() {
    return new GrpcServerOptions()
        .setMaxMessageSize(options.maxMessageBytes())
        .setScheduleDeadlineAutomatically(false)
        .setDeadlinePropagation(false)
        .removeEnabledProtocol(GrpcProtocol.WEB)
        .removeEnabledProtocol(GrpcProtocol.WEB_TEXT)
        .removeEnabledProtocol(GrpcProtocol.TRANSCODING);
  }

  private HttpServerOptions httpOptions() {
    return new HttpServerOptions()
        .setHost(options.host())
        .setPort(options.port())
        .setTcpNoDelay(true)
        .setHttp2ConnectionWindowSize(CONNECTION_WINDOW_BYTES)
        .setHttp2RstFloodMaxRstFramePerWindow(MAX_RESETS_PER_SECOND)
        .setHttp2RstFloodWindowDuration(1)
        .setHttp2RstFloodWindowDurationTimeUnit(TimeUnit.SECONDS)
        .setInitialSettings(
            new Http2Settings()
                .setMaxConcurrentStreams(MAX_STREAMS_PER_CONNECTION)
                .setInitialWindowSize(STREAM_WINDOW_BYTES));
  }
}
