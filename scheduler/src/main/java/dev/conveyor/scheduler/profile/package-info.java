/**
 * What a batch costs, learned from the batches that ran.
 *
 * <ul>
 *   <li>To predict the time of a batch of one model on one device: {@link CostProfile}.
 * </ul>
 *
 * <p>Plain objects of the scheduler's event loop. Times are nanoseconds.
 */
@NullMarked
package dev.conveyor.scheduler.profile;

import org.jspecify.annotations.NullMarked;
