package dev.conveyor.verticles.bench.suite;

/**
 * One figure as measured.
 *
 * @param how what was run, with the numbers behind the value
 */
public record Measured(double value, String how) {}
