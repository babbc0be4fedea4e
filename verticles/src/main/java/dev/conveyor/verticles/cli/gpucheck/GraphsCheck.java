package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.cuda.Cuda;
import java.util.Locale;

/** That what was captured does the same when it is launched, for fewer calls of the host. */
final class GraphsCheck implements Check {

  private static final int PARTS = 16;
  private static final int PART_BYTES = 4096;
  private static final int LAUNCHES = 500;

  @Override
  public String name() {
    return "graphs";
  }

  @Override
  public String what() {
    return "a CUDA graph of copies does what the copies do, and costs the host less";
  }

  @Override
  public Finding run(CheckSite site) {
    Cuda cuda = site.cuda();
    try (Scope scope = new Scope(site)) {
      long stream = scope.stream();
      Block from = scope.pinned((long) PARTS * PART_BYTES);
      Block to = scope.pinned((long) PARTS * PART_BYTES);
      long memory = scope.memory(scope.pool(64L << 20), (long) PARTS * PART_BYTES, stream);
      Words.fill(from, 1);
      final double callsUs = hostUs(cuda, stream, () -> copies(cuda, memory, from, to, stream));
      cuda.beginCapture(stream);
      copies(cuda, memory, from, to, stream);
      long graph = cuda.endCapture(stream);
      scope.add(() -> cuda.destroyGraph(graph));
      Words.fill(from, 2); // A graph reads what is there when it runs.
      double launchUs = hostUs(cuda, stream, () -> cuda.launchGraph(graph, stream));
      int wrong = Words.wrong(to, 2);
      return Finding.of(
              wrong < 0 && launchUs < callsUs,
              String.format(
                  Locale.ROOT,
                  "%d copies: %.1f µs call by call, %.1f µs as a graph",
                  2 * PARTS,
                  callsUs,
                  launchUs),
              wrong < 0 ? "it costs no less" : "word %d is wrong".formatted(wrong))
          .with("calls_us", callsUs)
          .with("graph_us", launchUs);
    }
  }

  private static void copies(Cuda cuda, long memory, Block from, Block to, long stream) {
    for (int i = 0; i < PARTS; i++) {
      long at = (long) i * PART_BYTES;
      cuda.copyToDevice(memory + at, from.address() + at, PART_BYTES, stream);
      cuda.copyToHost(to.address() + at, memory + at, PART_BYTES, stream);
    }
  }

  /**
   * Returns the shortest time that the host took to enqueue it: on a busy machine others are of the
   * machine. The stream is done afterwards.
   */
  private static double hostUs(Cuda cuda, long stream, Runnable work) {
    work.run();
    cuda.awaitStream(stream);
    long shortestNs = Long.MAX_VALUE;
    for (int i = 0; i < LAUNCHES; i++) {
      long beginNs = System.nanoTime();
      work.run();
      shortestNs = Math.min(shortestNs, System.nanoTime() - beginNs);
      cuda.awaitStream(stream); // Or a full queue would be waited for.
    }
    return shortestNs / 1e3;
  }
}
