/**
 * How much a device is given to do at once, and where models live.
 *
 * <ul>
 *   <li>To learn what batches do to each other: {@link StretchTable}.
 *   <li>To decide from it how many run at once on one device: {@link ConcurrencyController}.
 *   <li>To decide how many instances a model has: {@link InstanceScaler}.
 *   <li>To decide which models share which devices: {@link SquishyPacking}.
 * </ul>
 *
 * <p>The scheduler uses the first two. The last two are rules without an executor so far: a server
 * has one device and the instances that its configuration names.
 *
 * <p>Plain objects; the time is passed in. Times are nanoseconds.
 */
@NullMarked
package dev.conveyor.scheduler.occupancy;

import org.jspecify.annotations.NullMarked;
