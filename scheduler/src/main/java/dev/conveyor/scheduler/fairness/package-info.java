/**
 * Who is next on a device that several models want.
 *
 * <ul>
 *   <li>To share the time of one device by weight: {@link StartTimeFairQueue}.
 *   <li>To share what a model has of it among tenants: {@link TenantShares}, at each priority level
 *       {@link LevelShares}.
 * </ul>
 *
 * <p>Plain objects of the scheduler's event loop; time is device time, not the clock's.
 */
@NullMarked
package dev.conveyor.scheduler.fairness;

import org.jspecify.annotations.NullMarked;
