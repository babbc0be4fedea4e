/**
 * The load tool: {@code scripts/bench}.
 *
 * <ul>
 *   <li>{@link BenchCommand} is the command line. It runs one of three: {@link ServerBench} puts a
 *       server under load, {@code direct} runs a model without a server, {@code suite} measures a
 *       table of figures against targets.
 *   <li>{@code load} sends and counts, {@code report} shows, {@code host} reads what the operating
 *       system knows.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.bench;

import org.jspecify.annotations.NullMarked;
