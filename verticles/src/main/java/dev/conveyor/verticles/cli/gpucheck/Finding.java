package dev.conveyor.verticles.cli.gpucheck;

import io.vertx.core.json.JsonObject;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a check found. Immutable.
 *
 * @param figure what was measured, in one line; may be empty
 * @param reason why it failed or could not be tried, in one line; empty if it passed
 * @param numbers by name with unit, for programs
 */
record Finding(Outcome outcome, String figure, String reason, Map<String, Double> numbers) {

  /** How a check ended. */
  enum Outcome {
    PASSED,
    FAILED,
    /** This machine lacks something that it needs. */
    SKIPPED,
    /** It was killed at its limit. */
    TIMED_OUT,
    /** Its process ended without saying anything. */
    CRASHED;

    boolean isBad() {
      return this != PASSED && this != SKIPPED;
    }
  }

  Finding {
    numbers = Map.copyOf(numbers);
  }

  static Finding passed(String figure) {
    return new Finding(Outcome.PASSED, figure, "", Map.of());
  }

  static Finding failed(String figure, String reason) {
    return new Finding(Outcome.FAILED, figure, reason, Map.of());
  }

  static Finding skipped(String reason) {
    return new Finding(Outcome.SKIPPED, "", reason, Map.of());
  }

  /** Returns that it passed if {@code holds}, otherwise that it failed for {@code reason}. */
  static Finding of(boolean holds, String figure, String reason) {
    return holds ? passed(figure) : failed(figure, reason);
  }

  /** Returns the same with one number more. */
  Finding with(String name, double value) {
    Map<String, Double> all = new TreeMap<>(numbers);
    all.put(name, value);
    return new Finding(outcome, figure, reason, all);
  }

  JsonObject toJson() {
    JsonObject all = new JsonObject();
    new TreeMap<>(numbers).forEach(all::put);
    return new JsonObject()
        .put("outcome", outcome.name())
        .put("figure", figure)
        .put("reason", reason)
        .put("numbers", all);
  }

  /** Reads what {@link #toJson} wrote; also within a larger object. */
  static Finding fromJson(JsonObject json) {
    Map<String, Double> numbers = new TreeMap<>();
    for (Map.Entry<String, Object> number : json.getJsonObject("numbers")) {
      numbers.put(number.getKey(), ((Number) number.getValue()).doubleValue());
    }
    return new Finding(
        Outcome.valueOf(json.getString("outcome")),
        json.getString("figure"),
        json.getString("reason"),
        numbers);
  }
}
