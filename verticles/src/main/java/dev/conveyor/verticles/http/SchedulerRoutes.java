package dev.conveyor.verticles.http;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.decisions.Decision;
import dev.conveyor.scheduler.decisions.DecisionQuery;
import dev.conveyor.scheduler.decisions.Decisions;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * What the scheduler decided, for people: {@code GET /v2/scheduler/decisions?model=&kind=&limit=}.
 * Thread-confined to the event loop of its front end.
 */
final class SchedulerRoutes {

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
  private static final int DEFAULT_LIMIT = 100;
  private static final int LARGEST_LIMIT = 4096;

  private final Vertx vertx;

  SchedulerRoutes(Vertx vertx) {
    this.vertx = vertx;
  }

  void mount(Router router) {
    router.get("/v2/scheduler/decisions").handler(this::decisions);
  }

  private void decisions(RoutingContext context) {
    String model = context.request().getParam("model", "");
    DecisionQuery query =
        new DecisionQuery(
            model,
            kind(context.request().getParam("kind", "")),
            limit(context.request().getParam("limit", "")));
    vertx
        .eventBus()
        .<Decisions>request(Addresses.DECISIONS, query, LOCAL)
        .onComplete(
            found -> JsonReply.send(context.response(), json(found.body()).toBuffer()),
            context::fail);
  }

  private static Optional<Decision.Kind> kind(String parameter) {
    if (parameter.isEmpty()) {
      return Optional.empty();
    }
    for (Decision.Kind kind : Decision.Kind.values()) {
      if (kind.name().equals(parameter)) {
        return Optional.of(kind);
      }
    }
    throw InferenceException.invalid(
        "'kind' must be one of "
            + Arrays.toString(Decision.Kind.values())
            + ", was '"
            + parameter
            + "'");
  }

  private static int limit(String parameter) {
    try {
      int limit = parameter.isEmpty() ? DEFAULT_LIMIT : Integer.parseInt(parameter);
      if (limit >= 1 && limit <= LARGEST_LIMIT) {
        return limit;
      }
    } catch (NumberFormatException e) {
      // Told below, as is a number that is too large.
    }
    throw InferenceException.invalid(
        "'limit' must be a number from 1 to " + LARGEST_LIMIT + ", was '" + parameter + "'");
  }

  private static JsonObject json(Decisions decisions) {
    JsonArray last = new JsonArray();
    for (Decision decision : decisions.last()) {
      last.add(json(decision));
    }
    return new JsonObject().put("taken", decisions.taken()).put("decisions", last);
  }

  private static JsonObject json(Decision decision) {
    String deployed = decision.version();
    int deployment = deployed.indexOf('@');
    JsonObject entry =
        new JsonObject()
            .put("sequence", decision.sequence())
            .put("age_microseconds", TimeUnit.NANOSECONDS.toMicros(decision.ageNs()))
            .put("kind", decision.kind().name())
            .put("model", decision.model())
            .put("version", deployment < 0 ? deployed : deployed.substring(0, deployment))
            .put("device", decision.device())
            .put("requests", decision.requests())
            .put("batch_size", decision.items())
            .put("predicted_microseconds", TimeUnit.NANOSECONDS.toMicros(decision.predictedNs()))
            .put("reason", decision.reason());
    if (!decision.traces().isEmpty()) {
      entry.put("traces", decision.traces());
    }
    return entry;
  }
}
