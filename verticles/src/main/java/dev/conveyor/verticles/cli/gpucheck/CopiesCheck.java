package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import java.util.Locale;

/** How fast copies are, and that both directions go at the same time. */
final class CopiesCheck implements Check {

  private static final int BYTES = 64 << 20;
  private static final int COPIES = 10;

  /** One after the other takes 1, both at once on separate engines 0.5. */
  private static final double MOST_SHARE = 0.75;

  @Override
  public String name() {
    return "copies";
  }

  @Override
  public String what() {
    return "copies in both directions at once take at most "
        + MOST_SHARE
        + " of the time one after the other";
  }

  @Override
  public Finding run(CheckSite site) {
    Cuda cuda = site.cuda();
    try (Scope scope = new Scope(site)) {
      final Block up = scope.pinned(BYTES);
      final Block down = scope.pinned(BYTES);
      Block pageable = BlockAllocator.host().allocate(BYTES);
      scope.add(pageable::close);
      final Way in = new Way(cuda, scope);
      final Way out = new Way(cuda, scope);
      DevicePool pool = scope.pool(4L * BYTES);
      long first = scope.memory(pool, BYTES, in.stream);
      long second = scope.memory(pool, BYTES, out.stream);
      Words.fill(up, 3);
      toDevice(cuda, in, first, up); // Warm, and the second copy has something to copy.
      toDevice(cuda, in, second, up);
      cuda.awaitStream(in.stream);

      double ordinary = in.seconds(() -> toDevice(cuda, in, first, pageable));
      double upward = in.seconds(() -> toDevice(cuda, in, first, up));
      double downward = out.seconds(() -> toHost(cuda, out, down, second));
      in.begin();
      cuda.waitFor(in.begun, out.stream);
      toDevice(cuda, in, first, up);
      toHost(cuda, out, down, second);
      in.end();
      out.end();
      double both = Math.max(in.endAfter(in.begun), out.endAfter(in.begun));
      double share = both / (upward + downward);
      int wrong = Words.wrong(down, 3);
      String figure =
          String.format(
              Locale.ROOT,
              "to the device %.1f GB/s (not pinned %.1f), to the host %.1f, at once %.2f of the time",
              rate(upward),
              rate(ordinary),
              rate(downward),
              share);
      return Finding.of(
              share <= MOST_SHARE && wrong < 0,
              figure,
              wrong < 0
                  ? "the directions wait for each other"
                  : "word %d is wrong".formatted(wrong))
          .with("to_device_gb_s", rate(upward))
          .with("pageable_to_device_gb_s", rate(ordinary))
          .with("to_host_gb_s", rate(downward))
          .with("overlapped_share", share);
    }
  }

  private static double rate(double seconds) {
    return (double) BYTES * COPIES / seconds / 1e9;
  }

  private static void toDevice(Cuda cuda, Way way, long to, Block from) {
    for (int i = 0; i < COPIES; i++) {
      cuda.copyToDevice(to, from.address(), BYTES, way.stream);
    }
  }

  private static void toHost(Cuda cuda, Way way, Block to, long from) {
    for (int i = 0; i < COPIES; i++) {
      cuda.copyToHost(to.address(), from, BYTES, way.stream);
    }
  }

  /** A stream that is timed. */
  private static final class Way {
    private final Cuda cuda;
    private final long stream;
    private final long begun;
    private final long ended;

    Way(Cuda cuda, Scope scope) {
      this.cuda = cuda;
      this.stream = scope.stream();
      this.begun = scope.event();
      this.ended = scope.event();
    }

    void begin() {
      cuda.record(begun, stream);
    }

    void end() {
      cuda.record(ended, stream);
    }

    double endAfter(long event) {
      cuda.awaitEvent(ended);
      return cuda.elapsedNs(event, ended) / 1e9;
    }

    double seconds(Runnable work) {
      begin();
      work.run();
      end();
      return endAfter(begun);
    }
  }
}
