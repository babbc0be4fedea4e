package dev.conveyor.scheduler.decisions;

/**
 * Asks for the last decisions.
 *
 * @param model only those about this model; empty for all
 * @param limit how many at most
 */
public record DecisionQuery(String model, int limit) {}
