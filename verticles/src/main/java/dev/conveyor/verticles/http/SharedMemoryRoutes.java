package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;

/**
 * The system shared memory extension: status, register and unregister. Where it is off there is
 * nothing to list and nothing to forget, which is no failure: clients clear what they may have left
 * behind before they begin. Thread-confined to the event loop of its front end.
 */
final class SharedMemoryRoutes {

  private static final String PATH = "/v2/systemsharedmemory";
  private static final int MAX_BODY_BYTES = 64 * 1024;

  private final SharedMemoryRegions regions;
  private final ControlBodies bodies;

  SharedMemoryRoutes(SharedMemoryRegions regions, BodyReader.Limits limits) {
    this.regions = regions;
    this.bodies =
        new ControlBodies(
            new BodyReader.Limits(
                limits.vertx(),
                limits.pool(),
                Math.min(MAX_BODY_BYTES, limits.maxBytes()),
                limits.watch()));
  }

  void mount(Router router) {
    router.get(PATH + "/status").handler(this::status);
    router.get(PATH + "/region/:region/status").handler(this::status);
    router.post(PATH + "/unregister").handler(this::unregister);
    router.post(PATH + "/region/:region/unregister").handler(this::unregister);
    bodies.post(router, PATH + "/region/:region/register", this::register);
  }

  /** Returns the region that the path names; empty if it is about all of them. */
  private static String region(RoutingContext context) {
    String region = context.pathParam("region");
    return region == null ? "" : region;
  }

  private void status(RoutingContext context) {
    JsonArray answer = new JsonArray();
    for (SharedMemoryRegions.Status status : regions.status(region(context))) {
      answer.add(
          new JsonObject()
              .put("name", status.name())
              .put("key", status.key())
              .put("offset", status.offset())
              .put("byte_size", status.byteSize()));
    }
    JsonReply.send(context.response(), answer.toBuffer());
  }

  private void unregister(RoutingContext context) {
    regions.unregister(region(context));
    context.response().end();
  }

  private Future<?> register(RoutingContext context, Buffer body) {
    SharedMemoryRegions.Status wanted = wanted(region(context), body);
    return context
        .vertx()
        .executeBlocking(
            () -> {
              regions.register(wanted);
              return wanted;
            },
            false)
        .onSuccess(registered -> context.response().end());
  }

  private static SharedMemoryRegions.Status wanted(String name, Buffer body) {
    JsonObject json;
    try {
      json = body.toJsonObject();
    } catch (DecodeException e) {
      throw InferenceException.invalid("failed to parse the request JSON: " + e.getMessage());
    }
    if (!(json.getValue("key") instanceof String key)) {
      throw InferenceException.invalid(
          "Shared memory register request has no 'key' field that is a string");
    }
    if (!json.containsKey("byte_size")) {
      throw InferenceException.invalid("Shared memory register request has no 'byte_size' field");
    }
    return new SharedMemoryRegions.Status(name, key, size(json, "offset"), size(json, "byte_size"));
  }

  private static long size(JsonObject json, String field) {
    Object value = json.getValue(field, 0);
    // Integers beyond 64 bits arrive as another type, and must not wrap round.
    if (value instanceof Integer || value instanceof Long) {
      return ((Number) value).longValue();
    }
    throw InferenceException.invalid(
        "Shared memory register request: '%s' must be an integer, was %s".formatted(field, value));
  }
}
