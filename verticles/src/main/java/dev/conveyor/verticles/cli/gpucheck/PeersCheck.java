package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.Gpu;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** That what another device has written is read from there, and how fast. */
final class PeersCheck implements Check {

  private static final int BYTES = 64 << 20;
  private static final int COPIES = 10;

  /** What came from another device. */
  private record Read(Gpu peer, boolean direct, int wrong, double seconds) {

    double rate() {
      return (double) BYTES * COPIES / seconds / 1e9;
    }

    String told() {
      return String.format(
          Locale.ROOT,
          "from %s %s %.1f GB/s",
          peer.device(),
          direct ? "straight" : "over the host",
          rate());
    }
  }

  @Override
  public String name() {
    return "peers";
  }

  @Override
  public String what() {
    return "what another GPU has written is copied from there behind an event of it";
  }

  @Override
  public Finding run(CheckSite site) {
    List<Read> reads = new ArrayList<>();
    for (Gpu peer : site.gpus().usable()) {
      if (peer.ordinal() != site.gpu().ordinal()) {
        reads.add(read(site, peer));
      }
    }
    if (reads.isEmpty()) {
      return Finding.skipped("there is no other GPU");
    }
    Finding finding =
        Finding.of(
            reads.stream().allMatch(read -> read.wrong() < 0),
            String.join(", ", reads.stream().map(Read::told).toList()),
            "what was read is not what was written");
    for (Read read : reads) {
      finding = finding.with("from_gpu%d_gb_s".formatted(read.peer().ordinal()), read.rate());
    }
    return finding;
  }

  /** The calling thread is on the device of {@code site} afterwards, as before. */
  private static Read read(CheckSite site, Gpu peer) {
    Cuda cuda = site.cuda();
    int here = site.gpu().ordinal();
    try (CheckSite there = site.at(peer);
        Scope far = new Scope(there)) {
      long writer = far.stream();
      DevicePool pool = far.pool(2L * BYTES);
      long from = far.memory(pool, BYTES, writer);
      final long written = far.event();
      boolean direct = cuda.canAccessPeer(here, peer.ordinal());
      if (direct) {
        pool.openTo(here);
      }
      Block up = far.pinned(BYTES);
      Words.fill(up, 3);
      cuda.useDevice(here);
      try (Scope near = new Scope(site)) {
        final long reader = near.stream();
        final long to = near.memory(near.pool(2L * BYTES), BYTES, reader);
        final long begun = near.event();
        final long ended = near.event();
        final Block down = near.pinned(BYTES);
        cuda.copyToDevice(from, up.address(), BYTES, writer);
        cuda.record(written, writer);
        cuda.waitFor(written, reader);
        cuda.copyFromPeer(to, here, from, peer.ordinal(), BYTES, reader);
        cuda.copyToHost(down.address(), to, BYTES, reader);
        cuda.record(begun, reader);
        for (int i = 0; i < COPIES; i++) {
          cuda.copyFromPeer(to, here, from, peer.ordinal(), BYTES, reader);
        }
        cuda.record(ended, reader);
        cuda.awaitStream(reader);
        cuda.awaitStream(writer); // Whose memory goes now, also if nobody has waited for it.
        return new Read(peer, direct, Words.wrong(down, 3), cuda.elapsedNs(begun, ended) / 1e9);
      } finally {
        cuda.useDevice(peer.ordinal()); // Where the rest is given back.
      }
    } finally {
      cuda.useDevice(here);
    }
  }
}
