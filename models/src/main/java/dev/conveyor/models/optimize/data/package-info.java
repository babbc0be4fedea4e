/**
 * Data to calibrate and to evaluate with: {@link DataSets} opens a directory of images or of {@code
 * .npy} files; a {@link Sample} is what the model takes, with the {@link Truth} about it, if known.
 */
@NullMarked
package dev.conveyor.models.optimize.data;

import org.jspecify.annotations.NullMarked;
