package dev.conveyor.verticles.bench.load;

/**
 * One model under load.
 *
 * @param items inferences per request
 */
public record Lane(String model, LoadClient client, int items) {}
