/**
 * The CUDA runtime: devices, streams, events and their memory.
 *
 * <ul>
 *   <li>To find out which GPUs this machine has: {@link Gpus#find}; how they are: {@link GpuWatch}.
 *   <li>To call the runtime: {@link Cuda}. Nothing else does.
 *   <li>For the device memory of one model: {@link DevicePool}, capped and in the ledger.
 *   <li>For host memory that devices read by themselves: {@link PinnedAllocator}, beneath a {@link
 *       dev.conveyor.memory.BufferPool}.
 * </ul>
 */
@NullMarked
package dev.conveyor.memory.cuda;

import org.jspecify.annotations.NullMarked;
