package dev.conveyor.scheduler.decisions;

import java.util.Optional;

/**
 * Asks for the last decisions.
 *
 * @param model only those about this model; empty for all
 * @param kind only those of this kind; empty for all
 * @param limit how many at most
 */
public record DecisionQuery(String model, Optional<Decision.Kind> kind, int limit) {}
