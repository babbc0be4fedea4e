package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;

/** That more memory than there is, or than a pool may have, is refused and harms nothing. */
final class OutOfMemoryCheck implements Check {

  private static final long CAP_BYTES = 64L << 20;
  private static final int BYTES = 1 << 20;

  @Override
  public String name() {
    return "out-of-memory";
  }

  @Override
  public String what() {
    return "more than the device, the cap or the ledger has is refused; the device works on";
  }

  @Override
  public Finding run(CheckSite site) {
    long total = site.cuda().totalBytes();
    String device = refusal(site, 2 * total, total + total / 2, unlimited(site));
    String cap = refusal(site, CAP_BYTES, 4 * CAP_BYTES, unlimited(site));
    String ledger =
        refusal(site, CAP_BYTES, CAP_BYTES / 2, new MemoryBudget("small", CAP_BYTES / 8));
    String told = "device: %s; cap: %s; ledger: %s".formatted(device, cap, ledger);
    return Finding.of(
        works(site) && !told.contains("NOT REFUSED"),
        told,
        "something was given that is not there, or the device does not work any more");
  }

  private static MemoryBudget unlimited(CheckSite site) {
    return new MemoryBudget(site.gpu().device(), Long.MAX_VALUE);
  }

  private static String refusal(CheckSite site, long cap, long bytes, MemoryBudget budget) {
    Cuda cuda = site.cuda();
    try (Scope scope = new Scope(site);
        DevicePool pool = new DevicePool(cuda, site.gpu().ordinal(), cap, budget, "check")) {
      long stream = scope.stream();
      try {
        long address = pool.allocate(bytes, stream);
        cuda.free(address, stream);
        cuda.awaitStream(stream);
        return "NOT REFUSED";
      } catch (BudgetExceededException e) {
        return "by the ledger";
      } catch (CudaException e) {
        if (e.isOutOfMemory()) {
          return "out of memory";
        }
        throw e;
      }
    }
  }

  private static boolean works(CheckSite site) {
    Cuda cuda = site.cuda();
    try (Scope scope = new Scope(site)) {
      long stream = scope.stream();
      Block from = scope.pinned(BYTES);
      Block to = scope.pinned(BYTES);
      long memory = scope.memory(scope.pool(CAP_BYTES), BYTES, stream);
      Words.fill(from, 1);
      cuda.copyToDevice(memory, from.address(), BYTES, stream);
      cuda.copyToHost(to.address(), memory, BYTES, stream);
      cuda.awaitStream(stream);
      return Words.wrong(to, 1) < 0;
    }
  }
}
