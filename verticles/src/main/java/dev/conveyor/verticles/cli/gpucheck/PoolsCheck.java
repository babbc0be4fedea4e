package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import java.util.ArrayList;
import java.util.List;

/** That pools keep what is freed, give it back when told to, and leave nothing behind. */
final class PoolsCheck implements Check {

  private static final int BLOCKS = 8;
  private static final long BLOCK_BYTES = 16L << 20;
  private static final long CAP_BYTES = 16 * BLOCK_BYTES;
  private static final int CYCLES = 5;

  private long firstNs;
  private long againNs;

  @Override
  public String name() {
    return "pools";
  }

  @Override
  public String what() {
    return "pools keep and trim; the device has as many free bytes afterwards as before";
  }

  @Override
  public Finding run(CheckSite site) {
    Cuda cuda = site.cuda();
    try (Scope scope = new Scope(site)) {
      long stream = scope.stream();
      cycle(site, stream); // The driver takes some memory of its own the first time.
      long before = cuda.freeBytes();
      for (int i = 0; i < CYCLES; i++) {
        String wrong = cycle(site, stream);
        if (!wrong.isEmpty()) {
          return Finding.failed("cycle %d of %d".formatted(i + 1, CYCLES), wrong);
        }
      }
      long missing = before - cuda.freeBytes();
      long held = site.device().reservedBytes();
      String figure =
          "%d cycles; %d MiB from the device in %.0f µs, from the pool in %.0f µs; %d bytes missing"
              .formatted(
                  CYCLES, (BLOCKS * BLOCK_BYTES) >> 20, firstNs / 1e3, againNs / 1e3, missing);
      return Finding.of(
              missing == 0 && held == 0,
              figure,
              "%d bytes did not come back, %d are in the ledger".formatted(missing, held))
          .with("missing_bytes", (double) missing)
          .with("from_device_us", firstNs / 1e3)
          .with("from_pool_us", againNs / 1e3);
    }
  }

  /** Returns what is wrong. */
  private String cycle(CheckSite site, long stream) {
    Cuda cuda = site.cuda();
    try (DevicePool pool =
        new DevicePool(cuda, site.gpu().ordinal(), CAP_BYTES, site.device(), "check/pools")) {
      firstNs = takeAndFree(cuda, pool, stream);
      long kept = pool.takenBytes();
      againNs = takeAndFree(cuda, pool, stream);
      if (kept < BLOCKS * BLOCK_BYTES || pool.takenBytes() != kept) {
        return "the pool took %d bytes and then %d".formatted(kept, pool.takenBytes());
      }
      pool.trim();
      return pool.takenBytes() == 0
          ? ""
          : "%d bytes stay after trimming".formatted(pool.takenBytes());
    }
  }

  private static long takeAndFree(Cuda cuda, DevicePool pool, long stream) {
    long beginNs = System.nanoTime();
    List<Long> blocks = new ArrayList<>();
    for (int i = 0; i < BLOCKS; i++) {
      blocks.add(pool.allocate(BLOCK_BYTES, stream));
    }
    cuda.awaitStream(stream);
    final long tookNs = System.nanoTime() - beginNs;
    blocks.forEach(block -> pool.free(block, stream));
    cuda.awaitStream(stream);
    return tookNs;
  }
}
