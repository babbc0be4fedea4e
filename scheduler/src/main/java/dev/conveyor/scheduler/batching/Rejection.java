package dev.conveyor.scheduler.batching;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceRequest;

/**
 * A request that leaves without having run. Whoever takes it fails its reply path, which is
 * harmless if it was answered before, and closes it.
 */
public record Rejection(InferenceRequest request, InferenceException failure) {}
