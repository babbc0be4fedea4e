/**
 * Runs scheduling policies, the production core among them, under virtual time.
 *
 * <ul>
 *   <li>To describe an experiment: {@link Scenario}; from a file: {@link ScenarioReader}.
 *   <li>To run one policy at one rate: {@link Simulator}.
 *   <li>To find the highest rate that a policy sustains: {@link GoodputSearch}.
 *   <li>To add a policy: implement {@link Policy}, name it in {@link
 *       dev.conveyor.scheduler.simulation.policy.Policies}.
 * </ul>
 *
 * <p>Plain objects of one thread; no clock is read, and equal seeds give equal results. Times are
 * nanoseconds of virtual time from the start of a run, unless named otherwise.
 */
@NullMarked
package dev.conveyor.scheduler.simulation;

import org.jspecify.annotations.NullMarked;
