/**
 * How much a device is given to do at once.
 *
 * <ul>
 *   <li>To learn what batches do to each other: {@link StretchTable}.
 *   <li>To decide from it how many run at once on one device: {@link ConcurrencyController}.
 *   <li>To decide how many instances a model has: {@link InstanceScaler}.
 * </ul>
 *
 * <p>Where models live is not decided here: a server has one device, and on several, {@code
 * instance_group} names those that a model's instances are on.
 *
 * <p>Plain objects; the time is passed in. Times are nanoseconds.
 */
@NullMarked
package dev.conveyor.scheduler.occupancy;

import org.jspecify.annotations.NullMarked;
