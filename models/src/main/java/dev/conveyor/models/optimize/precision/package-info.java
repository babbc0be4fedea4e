/**
 * Models with 16-bit floats.
 *
 * <p>{@link HalfConverter} converts; {@link Float16} knows the numbers.
 */
@NullMarked
package dev.conveyor.models.optimize.precision;

import org.jspecify.annotations.NullMarked;
