package dev.conveyor.verticles.cli.gpucheck;

import io.vertx.core.json.JsonObject;

/** A check and what it found, in so many seconds of wall-clock time. Immutable. */
record CheckResult(String name, String what, Finding finding, double seconds) {

  JsonObject toJson() {
    return new JsonObject()
        .put("check", name)
        .put("what", what)
        .mergeIn(finding.toJson())
        .put("seconds", seconds);
  }
}
