/**
 * Memory that devices can reach, and the accounting for it.
 *
 * <ul>
 *   <li>To know whether something fits on a device: {@link MemoryBudget}. It allocates nothing.
 *   <li>To get a buffer for one request or one batch: {@link BufferPool#tryAcquire}. The {@link
 *       Lease} it returns has one owner at a time; passing it on passes the duty to close it.
 *   <li>To allocate raw blocks: {@link BlockAllocator}. Only pools do.
 * </ul>
 *
 * <p>Sizes are bytes and named {@code ...Bytes}. Pools and budgets are thread-safe; a lease is not.
 * Nothing in this package knows about models or Vert.x.
 */
@NullMarked
package dev.conveyor.memory;

import org.jspecify.annotations.NullMarked;
