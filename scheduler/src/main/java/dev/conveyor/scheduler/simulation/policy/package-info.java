/**
 * The policies that a simulation can run: the production core behind {@link
 * dev.conveyor.scheduler.simulation.policy.ConveyorPolicy}, and what others do.
 *
 * <ul>
 *   <li>To get one by name: {@link dev.conveyor.scheduler.simulation.policy.Policies}.
 * </ul>
 *
 * <p>The others know the true cost of every batch; the core learns it. Plain objects, each owned by
 * the one run that it was made for.
 */
@NullMarked
package dev.conveyor.scheduler.simulation.policy;

import org.jspecify.annotations.NullMarked;
