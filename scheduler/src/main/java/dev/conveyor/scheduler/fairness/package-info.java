/**
 * Who is next on a device, or a thread, that several models want.
 *
 * <ul>
 *   <li>To share the time of one device by weight: {@link StartTimeFairQueue}.
 *   <li>To share what a model has of it among tenants: {@link TenantShares}, at each priority level
 *       {@link LevelShares}.
 *   <li>To share threads among the work of several models: {@link FairTurns}.
 * </ul>
 *
 * <p>Plain objects with one owner; time is what work took, not the clock's.
 */
@NullMarked
package dev.conveyor.scheduler.fairness;

import org.jspecify.annotations.NullMarked;
