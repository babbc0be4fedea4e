package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.RepositoryControl;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.List;

/**
 * The model repository extension: index, load and unload. Thread-confined to the event loop of its
 * front end.
 */
final class RepositoryRoutes {

  /** Parsing what is longer, files in base64, would keep an event loop from everything else. */
  private static final int LONG_BODY_BYTES = 64 * 1024;

  private final RepositoryControl repository;
  private final ControlBodies bodies;

  RepositoryRoutes(RepositoryControl repository, BodyReader.Limits limits) {
    this.repository = repository;
    this.bodies = new ControlBodies(limits);
  }

  void mount(Router router) {
    bodies.post(router, "/v2/repository/index", this::index);
    bodies.post(router, "/v2/repository/models/:model/load", this::load);
    bodies.post(router, "/v2/repository/models/:model/unload", this::unload);
  }

  private Future<?> index(RoutingContext context, Buffer body) {
    boolean readyOnly = readyOnly(body);
    return repository
        .index()
        .onSuccess(entries -> JsonReply.send(context.response(), index(entries, readyOnly)));
  }

  private static boolean readyOnly(Buffer body) {
    if (body.length() == 0) {
      return false;
    }
    try {
      return body.toJsonObject().getBoolean("ready", false);
    } catch (DecodeException | ClassCastException e) {
      throw InferenceException.invalid("failed to parse the request JSON: " + e.getMessage());
    }
  }

  private static Buffer index(List<RepositoryControl.Entry> entries, boolean readyOnly) {
    JsonArray array = new JsonArray();
    for (RepositoryControl.Entry entry : entries) {
      if (!readyOnly || entry.state().equals("READY")) {
        array.add(
            new JsonObject()
                .put("name", entry.name())
                .put("version", entry.version())
                .put("state", entry.state())
                .put("reason", entry.reason()));
      }
    }
    return array.toBuffer();
  }

  private Future<?> load(RoutingContext context, Buffer body) {
    Future<ModelOverride> override =
        body.length() < LONG_BODY_BYTES
            ? Future.succeededFuture(RepositoryBody.load(body))
            : context.vertx().executeBlocking(() -> RepositoryBody.load(body), false);
    return override
        .compose(read -> repository.load(model(context), read))
        .onSuccess(v -> context.response().end());
  }

  private Future<?> unload(RoutingContext context, Buffer body) {
    return repository
        .unload(model(context), RepositoryBody.unloadDependents(body))
        .onSuccess(v -> context.response().end());
  }

  private static String model(RoutingContext context) {
    String model = context.pathParam("model");
    return model == null ? "" : model;
  }
}
