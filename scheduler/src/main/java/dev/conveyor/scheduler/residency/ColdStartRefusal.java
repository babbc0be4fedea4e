package dev.conveyor.scheduler.residency;

/**
 * Why a request does not wait for its model to be loaded.
 *
 * @param late whether it would be answered after its deadline; else its model cannot be loaded now
 * @param retryAfterNs when the same request could be served
 */
public record ColdStartRefusal(String reason, boolean late, long retryAfterNs) {}
