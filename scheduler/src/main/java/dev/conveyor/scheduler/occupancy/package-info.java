/**
 * How much a device is given to do at once.
 *
 * <ul>
 *   <li>To learn what batches do to each other: {@link StretchTable}.
 *   <li>To decide from it how many run at once on one device: {@link ConcurrencyController}.
 *   <li>To decide how many instances a model has: {@link InstanceScaler}.
 * </ul>
 *
 * <p>Where models live is not decided here: {@code instance_group} says it, or on several GPUs the
 * planner of {@link dev.conveyor.scheduler.placement}.
 *
 * <p>Plain objects; the time is passed in. Times are nanoseconds.
 */
@NullMarked
package dev.conveyor.scheduler.occupancy;

import org.jspecify.annotations.NullMarked;
