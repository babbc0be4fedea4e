/** What the command {@code tune} prints, draws and writes. */
@NullMarked
package dev.conveyor.verticles.cli.tune;

import org.jspecify.annotations.NullMarked;
