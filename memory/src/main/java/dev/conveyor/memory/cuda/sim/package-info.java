/**
 * A CUDA device without a GPU: {@link CudaSimulator} builds the simulated runtime of {@code
 * scripts/cuda-sim} with the C compiler of this machine and puts it beneath the real binding.
 *
 * <p>For tests and benchmarks; a server never loads it.
 */
@NullMarked
package dev.conveyor.memory.cuda.sim;

import org.jspecify.annotations.NullMarked;
