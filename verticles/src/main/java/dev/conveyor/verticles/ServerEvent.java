package dev.conveyor.verticles;

import io.vertx.core.json.JsonObject;
import java.util.Locale;

/**
 * Everything that is published on {@code <prefix>.events}, as a JSON object with the name of the
 * event and of its model; {@code docs/operations.md} says what else each has. Immutable.
 */
public enum ServerEvent {
  MODEL_LOADING,
  MODEL_READY,
  MODEL_UNAVAILABLE,
  MODEL_LOAD_FAILED,
  MODEL_COLD,
  MODEL_EVICTED,
  MODEL_PLACED,
  INSTANCES_SCALED,
  ISOLATION,
  OVERLOAD,
  OVERLOAD_ENDED,
  ROLLOUT_ROLLED_BACK;

  private static final String NAME = "event";

  /** Returns the name in {@code event}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Returns an object to publish, to which the details are still to be added.
   *
   * @param model empty for what concerns none
   */
  public JsonObject about(String model) {
    return new JsonObject().put(NAME, label()).put("model", model);
  }

  /** Returns true if a published object is about this. */
  public boolean is(JsonObject published) {
    return label().equals(published.getString(NAME));
  }
}
