/** The report and the progress bar of the command {@code optimize}. */
@NullMarked
package dev.conveyor.verticles.cli.optimize;

import org.jspecify.annotations.NullMarked;
