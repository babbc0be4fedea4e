package dev.conveyor.scheduler;

import java.util.List;

/**
 * Requests that run together on one instance. Ownership moves with the message: scheduler, then
 * instance, which answers and closes every request.
 *
 * @param items sum of the requests' batch sizes
 * @param dispatchNs when the scheduler let go of it
 */
public record Batch(long id, List<InferenceRequest> requests, int items, long dispatchNs) {}
