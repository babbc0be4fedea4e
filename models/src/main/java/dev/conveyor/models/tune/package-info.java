/**
 * The search for the settings that serve a model best on one machine.
 *
 * <ul>
 *   <li>What can be set is a {@link Setting}; what is tried, a {@link SearchSpace}.
 *   <li>{@link SuccessiveHalving} finds the best by an {@link Objective}: it asks a {@link Prior}
 *       which settings are worth a run, and a {@link Meter} for the runs.
 *   <li>{@link ParetoFront} says which of the measured settings are worth having at all.
 *   <li>{@link TunedConfig} turns a setting into a model's configuration file.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.tune;

import org.jspecify.annotations.NullMarked;
