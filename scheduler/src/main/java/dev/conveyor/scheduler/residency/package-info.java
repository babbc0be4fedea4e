/**
 * Which models are in memory: who must go when another one comes, and what a request for a model
 * that is not there can expect. Plain Java; nothing here reads a clock or frees a byte.
 *
 * <ul>
 *   <li>{@link ResidencyTable} is the state of every evictable model and the decisions about it.
 *   <li>{@link EvictionPolicy} ranks what is resident: {@link RequestForecast} serves, {@link
 *       GreedyDualSizeFrequency} and {@link LeastRecentlyUsed} are what it is compared with.
 *   <li>{@link ResidencyBench} replays a {@link ResidencyTrace} against a policy and against the
 *       {@link OfflineOracle} that knows the future.
 * </ul>
 *
 * <p>Sizes are bytes, times are {@link System#nanoTime} nanoseconds.
 */
@NullMarked
package dev.conveyor.scheduler.residency;

import org.jspecify.annotations.NullMarked;
