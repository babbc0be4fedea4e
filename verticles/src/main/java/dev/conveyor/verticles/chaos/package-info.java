/**
 * Breaks a server on purpose, under load, and counts what was lost.
 *
 * <ul>
 *   <li>To run it: {@link ChaosCommand}; from a program: {@link ChaosRun}, which injects each
 *       {@link Fault}.
 *   <li>To make models fail on request: {@link FaultyBackend}, asked with {@link Poison}.
 * </ul>
 *
 * <p>Nothing that serves depends on this package.
 */
@NullMarked
package dev.conveyor.verticles.chaos;

import org.jspecify.annotations.NullMarked;
