package dev.conveyor.verticles.grpc;

import com.google.protobuf.Descriptors.ServiceDescriptor;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.ServedModel;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import io.vertx.grpc.health.v1.HealthCheckRequest;
import io.vertx.grpc.health.v1.HealthCheckResponse;
import io.vertx.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.vertx.grpc.health.v1.HealthListRequest;
import io.vertx.grpc.health.v1.HealthListResponse;
import io.vertx.grpc.health.v1.HealthProto;
import io.vertx.grpc.server.GrpcServerRequest;
import io.vertx.grpc.server.GrpcServerResponse;
import io.vertx.grpc.server.Service;
import io.vertx.grpc.server.ServiceBuilder;
import java.util.HashMap;
import java.util.Map;

/**
 * {@code grpc.health.v1.Health} over what is served right now: {@code ""} and the name of the
 * inference service stand for the server, every other name for a model.
 *
 * <p>Not thread-safe: owned by the event loop of its front end. The library's own service knows a
 * fixed set of names and repeats unchanged states to its watchers; this one asks the catalog, and
 * tells a watcher only what changed. The catalog announces nothing, so while there are watchers it
 * is looked at once per {@code INTERVAL_MILLIS}.
 */
final class GrpcHealth {

  private static final ServiceName NAME = ServiceName.create("grpc.health.v1", "Health");
  private static final ServiceDescriptor DESCRIPTOR =
      HealthProto.getDescriptor().findServiceByName("Health");
  private static final int MAX_MESSAGE_BYTES = 64 << 10;
  private static final long INTERVAL_MILLIS = 500;

  private final Vertx vertx;
  private final ModelCatalog catalog;
  private final RepositoryControl repository;
  private final MessageDecoder<HealthCheckRequest> decoder =
      new MessageDecoder<>(HealthCheckRequest.parser(), MAX_MESSAGE_BYTES);
  private final Map<GrpcServerResponse<?, HealthCheckResponse>, Watch> watches = new HashMap<>();
  private long timer;
  private boolean stopping;

  GrpcHealth(Vertx vertx, ModelCatalog catalog, RepositoryControl repository) {
    this.vertx = vertx;
    this.catalog = catalog;
    this.repository = repository;
  }

  Service service() {
    ServiceBuilder service = Service.service(NAME, DESCRIPTOR);
    UnaryMethod.bind(
        service, NAME, "Check", HealthCheckRequest.parser(), MAX_MESSAGE_BYTES, this::check);
    UnaryMethod.bind(
        service, NAME, "List", HealthListRequest.parser(), MAX_MESSAGE_BYTES, request -> list());
    ServiceMethod<HealthCheckRequest, HealthCheckResponse> watch =
        ServiceMethod.server(NAME, "Watch", GrpcMessageEncoder.encoder(), decoder);
    return service.bind(watch, this::watch).build();
  }

  /** Tells every watcher that nothing is served any more, and ends the watches. */
  void stop() {
    stopping = true;
    refresh();
    for (GrpcServerResponse<?, HealthCheckResponse> response : watches.keySet()) {
      response.end();
    }
    watches.clear();
    vertx.cancelTimer(timer);
  }

  private Future<HealthCheckResponse> check(HealthCheckRequest request) {
    ServingStatus status = status(request.getService());
    return status == ServingStatus.SERVICE_UNKNOWN
        ? Future.failedFuture(
            new InferenceException(
                ErrorCode.NOT_FOUND, "unknown service '" + request.getService() + "'"))
        : Future.succeededFuture(answer(status));
  }

  private Future<HealthListResponse> list() {
    HealthListResponse.Builder list = HealthListResponse.newBuilder();
    list.putStatuses("", answer(status("")));
    String service = InferenceService.NAME.fullyQualifiedName();
    list.putStatuses(service, answer(status(service)));
    for (ServedModel served : catalog.all()) {
      list.putStatuses(served.name(), answer(status(served.name())));
    }
    return Future.succeededFuture(list.build());
  }

  private void watch(GrpcServerRequest<HealthCheckRequest, HealthCheckResponse> request) {
    GrpcServerResponse<HealthCheckRequest, HealthCheckResponse> response = request.response();
    request.errorHandler(error -> forget(response));
    request.exceptionHandler(lost -> forget(response));
    response.exceptionHandler(lost -> forget(response));
    request.messageHandler(
        message -> {
          try {
            Watch watch = new Watch(response, decoder.decode(message).getService());
            if (watches.isEmpty()) {
              timer = vertx.setPeriodic(INTERVAL_MILLIS, id -> refresh());
            }
            watches.put(response, watch);
            watch.tell(status(watch.name));
          } catch (InferenceException e) {
            forget(response);
            GrpcErrors.end(response, e);
          }
        });
  }

  private void refresh() {
    watches.values().forEach(watch -> watch.tell(status(watch.name)));
  }

  private void forget(GrpcServerResponse<?, HealthCheckResponse> response) {
    if (watches.remove(response) != null && watches.isEmpty()) {
      vertx.cancelTimer(timer);
    }
  }

  private ServingStatus status(String name) {
    if (stopping) {
      return ServingStatus.NOT_SERVING;
    }
    if (name.isEmpty() || name.equals(InferenceService.NAME.fullyQualifiedName())) {
      return repository.isReady() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    }
    try {
      ServedModel unused = catalog.findReady(name, "");
      return ServingStatus.SERVING;
    } catch (InferenceException e) {
      return e.code() == ErrorCode.UNAVAILABLE
          ? ServingStatus.NOT_SERVING
          : ServingStatus.SERVICE_UNKNOWN;
    }
  }

  private static HealthCheckResponse answer(ServingStatus status) {
    return HealthCheckResponse.newBuilder().setStatus(status).build();
  }

  /** One watching client. Owned by {@link GrpcHealth}. */
  private static final class Watch {

    private final GrpcServerResponse<?, HealthCheckResponse> response;
    private final String name;
    private ServingStatus told = ServingStatus.UNRECOGNIZED;

    Watch(GrpcServerResponse<?, HealthCheckResponse> response, String name) {
      this.response = response;
      this.name = name;
    }

    void tell(ServingStatus status) {
      if (status != told) {
        told = status;
        response.write(answer(status));
      }
    }
  }
}
