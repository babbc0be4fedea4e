/**
 * The queue of one model and the rule that cuts batches from it.
 *
 * <ul>
 *   <li>To queue a request and to ask for the next batch: {@link DynamicBatcher}.
 *   <li>What may wait, for how long, and in what order: {@link RequestQueue}.
 *   <li>What leaves without having run, and why: {@link Rejection}.
 * </ul>
 *
 * <p>Plain objects of the scheduler's event loop: no clock, no threads, no answers sent. Times are
 * {@link System#nanoTime} nanoseconds and are compared by difference only.
 */
@NullMarked
package dev.conveyor.scheduler.batching;

import org.jspecify.annotations.NullMarked;
