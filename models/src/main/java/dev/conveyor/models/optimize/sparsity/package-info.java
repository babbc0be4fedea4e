/**
 * Models with fewer weights: {@link Pruning} sets weights to zero, {@link ChannelPruning} takes
 * whole channels away.
 */
@NullMarked
package dev.conveyor.models.optimize.sparsity;

import org.jspecify.annotations.NullMarked;
