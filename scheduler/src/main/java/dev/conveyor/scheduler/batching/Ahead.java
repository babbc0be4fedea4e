package dev.conveyor.scheduler.batching;

/**
 * What of a queue goes before a request. Immutable.
 *
 * @param requests how many
 * @param items sum of their batch sizes
 * @param bytes sum of their inputs
 */
public record Ahead(int requests, int items, long bytes) {

  public static final Ahead NOTHING = new Ahead(0, 0, 0);
}
