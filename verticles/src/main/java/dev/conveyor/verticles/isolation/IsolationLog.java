package dev.conveyor.verticles.isolation;

/** Told of every decision, when it is taken. Thread-safe. */
@FunctionalInterface
public interface IsolationLog {

  /** Forgets everything. */
  IsolationLog NONE = (model, version, decision, reason, detail) -> {};

  /**
   * One decision.
   *
   * @param version the version it concerns
   * @param reason one of few words, fit for a metric's label
   * @param detail for a person: which instance, what the backend said
   */
  void decided(String model, String version, Decision decision, String reason, String detail);
}
