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
import io.vertx.ext.web.handler.BodyHandler;
import java.util.List;

/**
 * The model repository extension: index, load and unload. Thread-confined to the event loop of its
 * front end.
 */
final class RepositoryRoutes {

  /** Parsing what is longer, files in base64, would keep an event loop from everything else. */
  private static final int LONG_BODY_BYTES = 64 * 1024;

  private final RepositoryControl repository;
  private final int maxMessageBytes;

  RepositoryRoutes(RepositoryControl repository, int maxMessageBytes) {
    this.repository = repository;
    this.maxMessageBytes = maxMessageBytes;
  }

  void mount(Router router) {
    BodyHandler body = BodyHandler.create(false).setBodyLimit(maxMessageBytes);
    router.post("/v2/repository/index").handler(body).handler(this::index);
    router.post("/v2/repository/models/:model/load").handler(body).handler(this::load);
    router.post("/v2/repository/models/:model/unload").handler(body).handler(this::unload);
  }

  private void index(RoutingContext context) {
    boolean readyOnly = readyOnly(body(context));
    repository
        .index()
        .onComplete(
            entries -> JsonReply.send(context.response(), index(entries, readyOnly)),
            context::fail);
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

  private void load(RoutingContext context) {
    Buffer body = body(context);
    Future<ModelOverride> override =
        body.length() < LONG_BODY_BYTES
            ? Future.succeededFuture(RepositoryBody.load(body))
            : context.vertx().executeBlocking(() -> RepositoryBody.load(body), false);
    override
        .compose(read -> repository.load(model(context), read))
        .onComplete(v -> context.response().end(), context::fail);
  }

  private void unload(RoutingContext context) {
    repository
        .unload(model(context), RepositoryBody.unloadDependents(body(context)))
        .onComplete(v -> context.response().end(), context::fail);
  }

  private static String model(RoutingContext context) {
    String model = context.pathParam("model");
    return model == null ? "" : model;
  }

  private static Buffer body(RoutingContext context) {
    Buffer body = context.body().buffer();
    return body == null ? Buffer.buffer() : body;
  }
}
