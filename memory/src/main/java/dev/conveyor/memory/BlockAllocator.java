package dev.conveyor.memory;

/**
 * Allocates raw blocks of host memory that devices can read. Used by pools only.
 *
 * <p>Thread-safe.
 */
public interface BlockAllocator {

  /**
   * Allocates {@code bytes}, page-aligned, contents undefined.
   *
   * @throws OutOfMemoryError if the system has no more
   */
  Block allocate(long bytes);

  /** Plain native memory of the process. */
  static BlockAllocator host() {
    return HostBlock::new;
  }
}
