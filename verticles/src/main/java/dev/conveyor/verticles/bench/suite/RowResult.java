package dev.conveyor.verticles.bench.suite;

import io.vertx.core.json.JsonObject;
import org.jspecify.annotations.Nullable;

/**
 * One row, measured or not.
 *
 * @param value null if it could not be measured; then it does not hold and {@code how} says why
 */
record RowResult(String figure, Target target, @Nullable Double value, String how) {

  boolean holds() {
    return value != null && target.holds(value);
  }

  String valueText() {
    return value == null ? "not measured" : target.format(value);
  }

  JsonObject json() {
    return new JsonObject()
        .put("figure", figure)
        .put("value", value)
        .put("target", target.text())
        .put("holds", holds())
        .put("how", how);
  }
}
