package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.core.Handler;
import io.vertx.core.json.JsonArray;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;

/**
 * Triton's extensions that are not here: refused by name, as over gRPC. Clients ask after CUDA
 * shared memory, and clear it, before they use none; that works. Thread-safe: no state.
 */
final class AbsentRoutes {

  private AbsentRoutes() {}

  static void mount(Router router) {
    cudaSharedMemory(router);
    refuse(router, "/v2/logging", "log settings are not supported");
    for (String path : new String[] {"/v2/trace/setting", "/v2/models/:model/trace/setting"}) {
      refuse(router, path, "trace settings are not supported");
    }
  }

  private static void cudaSharedMemory(Router router) {
    String path = "/v2/cudasharedmemory";
    router
        .get(path + "/status")
        .handler(context -> JsonReply.send(context.response(), new JsonArray().toBuffer()));
    router
        .get(path + "/region/:region/status")
        .handler(
            context ->
                JsonReply.fail(
                    context.response(),
                    new InferenceException(
                        ErrorCode.NOT_FOUND,
                        "Unable to find cuda shared memory region: '%s'"
                            .formatted(context.pathParam("region")))));
    router
        .post(path + "/region/:region/register")
        .handler(refusal("CUDA shared memory is not supported"));
    router.post(path + "/unregister").handler(context -> context.response().end());
    router.post(path + "/region/:region/unregister").handler(context -> context.response().end());
  }

  private static void refuse(Router router, String path, String reason) {
    router.get(path).handler(refusal(reason));
    router.post(path).handler(refusal(reason));
  }

  private static Handler<RoutingContext> refusal(String reason) {
    return context ->
        JsonReply.fail(context.response(), new InferenceException(ErrorCode.UNSUPPORTED, reason));
  }
}
