/**
 * The command {@code simulate}: scheduling policies under virtual time.
 *
 * <ul>
 *   <li>To run it: {@link dev.conveyor.verticles.cli.simulate.SimulateCommand}.
 * </ul>
 *
 * <p>What is simulated, and how, is {@link dev.conveyor.scheduler.simulation}; this is only how a
 * user asks for it and what is printed.
 */
@NullMarked
package dev.conveyor.verticles.cli.simulate;

import org.jspecify.annotations.NullMarked;
