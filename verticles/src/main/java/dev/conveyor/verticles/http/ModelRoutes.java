package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ModelConfigWriter;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.BodyWatch;
import dev.conveyor.verticles.InstanceBoard;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.ServerInfo;
import dev.conveyor.verticles.metrics.StatisticsJson;
import dev.conveyor.verticles.profile.ProfileJson;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Route;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.List;

/**
 * Everything of the protocol that is not inference: health, metadata, configuration, statistics.
 * Thread-confined to the event loop of its front end.
 */
final class ModelRoutes {

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final HttpServices services;
  private final HttpFrontEndOptions options;

  ModelRoutes(Vertx vertx, HttpServices services, HttpFrontEndOptions options) {
    this.vertx = vertx;
    this.services = services;
    this.options = options;
  }

  void mount(Router router) {
    router.get("/v2").handler(context -> ok(context, ServerInfo.metadata(services.regions())));
    router.get("/v2/").handler(context -> ok(context, ServerInfo.metadata(services.regions())));
    router.get("/v2/health/live").handler(context -> context.response().end());
    router.get("/v2/health/ready").handler(this::serverReady);
    router
        .get("/v2/memory")
        .handler(
            context ->
                services.memory().json().onComplete(json -> ok(context, json), context::fail));
    router.get("/v2/models/stats").handler(this::allStatistics);
    mountModel(router, "/v2/models/:model");
    mountModel(router, "/v2/models/:model/versions/:version");
    new RepositoryRoutes(services.repository(), limits()).mount(router);
    new SharedMemoryRoutes(services.regions(), limits()).mount(router);
    AbsentRoutes.mount(router);
    Route infer = router.post("/v2/models/:model/infer");
    InferHandler handler =
        new InferHandler(vertx, services, options.maxMessageBytes(), options.bodyTimeoutMs());
    // Names that needed decoding come this way.
    infer.handler(context -> handler.handle(context.request(), param(context, "model"), ""));
    router
        .post("/v2/models/:model/versions/:version/infer")
        .handler(
            context ->
                handler.handle(
                    context.request(), param(context, "model"), param(context, "version")));
    router.errorHandler(
        404, context -> error(context, 404, "Not Found: " + context.request().path()));
    router.errorHandler(405, context -> error(context, 405, "Method Not Allowed"));
    router.errorHandler(413, context -> error(context, 413, "the request body is too large"));
    router.errorHandler(400, context -> error(context, 400, "Bad Request"));
    router.errorHandler(500, this::failed);
  }

  private BodyReader.Limits limits() {
    return new BodyReader.Limits(
        vertx,
        services.requestMemory(),
        options.maxMessageBytes(),
        new BodyWatch(vertx, NanoClock.SYSTEM, options.bodyTimeoutMs(), "http_body"));
  }

  private void mountModel(Router router, String path) {
    router
        .get(path)
        .handler(context -> ok(context, metadata(describe(context), versions(context))));
    router.get(path + "/ready").handler(this::modelReady);
    router
        .get(path + "/config")
        .handler(
            context ->
                ok(context, new JsonObject(ModelConfigWriter.toJson(describe(context).config()))));
    router.get(path + "/profile").handler(this::profile);
    router.get(path + "/instances").handler(context -> model(context, ModelRoutes::instances));
    router
        .get(path + "/stats")
        .handler(context -> ok(context, StatisticsJson.of(versions(context))));
  }

  private interface View {
    JsonObject of(ServedModel model);
  }

  private void model(RoutingContext context, View view) {
    ok(context, view.of(find(context)));
  }

  private ServedModel find(RoutingContext context) {
    return services.catalog().find(param(context, "model"), version(context));
  }

  /** As {@link #find}, or a step of an ensemble that needs no model. */
  private ServedModel describe(RoutingContext context) {
    return services.catalog().describe(param(context, "model"), version(context));
  }

  private static String version(RoutingContext context) {
    return param(context, "version");
  }

  /** Returns a part of the path, decoded; empty if the route has none of that name. */
  private static String param(RoutingContext context, String name) {
    String value = context.pathParam(name);
    return value == null ? "" : value;
  }

  private void serverReady(RoutingContext context) {
    context.response().setStatusCode(services.repository().isReady() ? 200 : 503).end();
  }

  private void modelReady(RoutingContext context) {
    try {
      ServedModel unused = services.catalog().findReady(param(context, "model"), version(context));
      context.response().end();
    } catch (InferenceException e) {
      JsonReply.fail(context.response(), e);
    }
  }

  private void profile(RoutingContext context) {
    ServedModel served = find(context);
    vertx
        .eventBus()
        .<ModelProfile>request(Addresses.PROFILE, served.key(), LOCAL)
        .onComplete(profile -> ok(context, ProfileJson.of(served, profile.body())), context::fail);
  }

  private static JsonObject instances(ServedModel served) {
    JsonArray lines = new JsonArray();
    for (InstanceBoard.Line line : served.instances().lines()) {
      JsonObject json =
          new JsonObject()
              .put("index", line.index())
              .put("slot", line.slot())
              .put("device", line.device())
              .put("state", line.state().name())
              .put("reason", line.reason());
      lines.add(line.pid() == 0 ? json : json.put("pid", line.pid()));
    }
    return new JsonObject()
        .put("name", served.name())
        .put("version", served.version())
        .put("ready", served.isReady())
        .put("instances", lines);
  }

  /** Returns the version that the path names, or every version of its model. */
  private List<ServedModel> versions(RoutingContext context) {
    return services.catalog().described(param(context, "model"), version(context));
  }

  private static JsonObject metadata(ServedModel served, List<ServedModel> all) {
    JsonArray versions = new JsonArray();
    all.forEach(each -> versions.add(each.version()));
    return new JsonObject()
        .put("name", served.name())
        .put("versions", versions)
        .put("platform", served.platform())
        .put("inputs", specs(served.clientInputs()))
        .put("outputs", specs(served.clientOutputs()));
  }

  private static JsonArray specs(List<TensorSpec> specs) {
    JsonArray array = new JsonArray();
    for (TensorSpec spec : specs) {
      JsonArray shape = new JsonArray();
      for (long dim : spec.shape().toArray()) {
        shape.add(dim);
      }
      array.add(
          new JsonObject()
              .put("name", spec.name())
              .put("datatype", spec.type().name())
              .put("shape", shape));
    }
    return array;
  }

  private void allStatistics(RoutingContext context) {
    ok(context, StatisticsJson.of(services.catalog().all()));
  }

  private static void ok(RoutingContext context, JsonObject json) {
    JsonReply.send(context.response(), json.toBuffer());
  }

  private static void error(RoutingContext context, int status, String message) {
    HttpServerResponse response = context.response().setStatusCode(status);
    JsonReply.send(response, new JsonObject().put("error", message).toBuffer());
  }

  private void failed(RoutingContext context) {
    Throwable failure = context.failure();
    if (failure instanceof ClassCastException) {
      failure = InferenceException.invalid("a value in the request JSON has the wrong type");
    }
    JsonReply.fail(context.response(), failure);
  }
}
