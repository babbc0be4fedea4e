/**
 * What the simulator believes of settings before they are run: {@link
 * dev.conveyor.scheduler.simulation.tuning.SimulatedPrior}.
 */
@NullMarked
package dev.conveyor.scheduler.simulation.tuning;

import org.jspecify.annotations.NullMarked;
