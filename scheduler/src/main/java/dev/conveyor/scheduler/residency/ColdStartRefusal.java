package dev.conveyor.scheduler.residency;

/**
 * Why a request does not wait for its model to be loaded.
 *
 * @param retryAfterNs when the same request could be served
 */
public record ColdStartRefusal(String reason, long retryAfterNs) {}
