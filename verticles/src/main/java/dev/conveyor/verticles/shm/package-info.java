/**
 * Triton's system shared memory extension: tensors that clients of this machine leave in POSIX
 * shared memory instead of sending them.
 *
 * <ul>
 *   <li>To register, list and unregister regions: {@link SharedMemoryRegions}, one per server.
 *   <li>To read what the parameters of a tensor say: {@link RegionRef}.
 *   <li>To read the inputs of a request, and write its outputs: {@link SharedTensors}, one per
 *       request.
 * </ul>
 *
 * <p>Regions are read and written as files and never mapped: their owner may cut one short at any
 * time, and to touch a page that is gone would end this process, where a read that comes back short
 * fails one request. Nothing here knows a protocol.
 */
@NullMarked
package dev.conveyor.verticles.shm;

import org.jspecify.annotations.NullMarked;
