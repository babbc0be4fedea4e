/**
 * Tables of figures against targets, each measured by one command.
 *
 * <ul>
 *   <li>A new table is a {@link Suite}: rows with a figure, a {@link Target} and what measures it.
 *       Name it in {@link Suites}.
 *   <li>{@link SuiteRunner} measures the rows and writes them.
 *   <li>A row that needs a server takes one from {@link Lab#startServer}; {@link HttpLoad} puts it
 *       under load with a light client.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.bench.suite;

import org.jspecify.annotations.NullMarked;
