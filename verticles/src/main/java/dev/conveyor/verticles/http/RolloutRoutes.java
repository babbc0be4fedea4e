package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.rollout.RolloutGuard;
import dev.conveyor.scheduler.rollout.RolloutState;
import dev.conveyor.verticles.ModelCatalog;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.Objects;

/**
 * How the trial of a version stands: {@code GET /v2/models/NAME/rollout}. Thread-confined to the
 * event loop of its front end.
 */
final class RolloutRoutes {

  private final ModelCatalog catalog;

  RolloutRoutes(ModelCatalog catalog) {
    this.catalog = catalog;
  }

  void mount(Router router) {
    router.get("/v2/models/:model/rollout").handler(this::rollout);
  }

  private void rollout(RoutingContext context) {
    String name = Objects.requireNonNull(context.pathParam("model"), "part of the route");
    String stable = catalog.find(name, "").version(); // refuses models that are not there
    RolloutGuard guard = catalog.rollout(name);
    if (guard == null) {
      throw new InferenceException(
          ErrorCode.NOT_FOUND, "Model '" + name + "' has no conveyor.rollout in its configuration");
    }
    JsonReply.send(context.response(), json(name, stable, guard.state()).toBuffer());
  }

  private static JsonObject json(String name, String stable, RolloutState state) {
    return new JsonObject()
        .put("name", name)
        .put("stable", version(stable, state.stable()))
        .put("candidate", version(Long.toString(state.rollout().candidate()), state.tried()))
        .put("state", state.active() ? "ACTIVE" : "ROLLED_BACK")
        .put("reason", state.reason())
        .put("stable_requests", state.stableRequests())
        .put("canary_requests", state.canaryRequests())
        .put("shadow_requests", state.shadows())
        .put("shadow_requests_dropped", state.shadowsDropped())
        .put("shadow_requests_under_way", state.shadowsUnderWay())
        .put("compared", state.compared())
        .put("agreement", state.agreement());
  }

  private static JsonObject version(String version, RolloutState.Version outcomes) {
    return new JsonObject()
        .put("version", version)
        .put("outcomes", outcomes.outcomes())
        .put("error_rate", outcomes.errorRate())
        .put("p99_microseconds", outcomes.p99Ns() / 1000);
  }
}
