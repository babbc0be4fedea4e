package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.cuda.Cuda;

/** That streams wait for each other's events, on the device, and that events tell the time. */
final class StreamsCheck implements Check {

  private static final int BYTES = 8 << 20;
  private static final int ROUNDS = 50;

  @Override
  public String name() {
    return "streams";
  }

  @Override
  public String what() {
    return "a stream that waits for another's event reads what that one wrote";
  }

  @Override
  public Finding run(CheckSite site) {
    Cuda cuda = site.cuda();
    try (Scope scope = new Scope(site)) {
      final long in = scope.stream();
      final long out = scope.stream();
      final long begun = scope.event();
      final long copied = scope.event();
      final long done = scope.event();
      Block from = scope.pinned(BYTES);
      Block to = scope.pinned(BYTES);
      long memory = scope.memory(scope.pool(4L * BYTES), BYTES, in);
      long elapsedNs = 0;
      for (int round = 0; round < ROUNDS; round++) {
        Words.fill(from, round);
        cuda.record(begun, in);
        cuda.copyToDevice(memory, from.address(), BYTES, in);
        cuda.record(copied, in);
        cuda.waitFor(copied, out);
        cuda.copyToHost(to.address(), memory, BYTES, out);
        cuda.record(done, out);
        cuda.awaitEvent(done);
        int wrong = Words.wrong(to, round);
        if (wrong >= 0 || !cuda.isComplete(copied)) {
          return Finding.failed(
              "round %d of %d".formatted(round + 1, ROUNDS),
              wrong >= 0
                  ? "word %d is not what was copied in".formatted(wrong)
                  : "an event that was waited for is not complete");
        }
        elapsedNs += cuda.elapsedNs(begun, done);
      }
      double meanUs = elapsedNs / 1e3 / ROUNDS;
      return Finding.of(
              elapsedNs > 0,
              "%d rounds of %d MiB in and out, %.0f µs each".formatted(ROUNDS, BYTES >> 20, meanUs),
              "events tell no time")
          .with("round_us", meanUs);
    }
  }
}
