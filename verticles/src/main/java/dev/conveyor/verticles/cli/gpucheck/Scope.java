package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.PinnedAllocator;
import java.util.ArrayDeque;
import java.util.Deque;

/** What a check takes from the device, given back at its end, the last first. Thread-confined. */
final class Scope implements AutoCloseable {

  private final CheckSite site;
  private final Cuda cuda;
  private final Deque<Runnable> releases = new ArrayDeque<>();

  Scope(CheckSite site) {
    this.site = site;
    this.cuda = site.cuda();
  }

  long stream() {
    long stream = cuda.newStream(0);
    releases.push(() -> cuda.destroyStream(stream));
    return stream;
  }

  long event() {
    long event = cuda.newEvent();
    releases.push(() -> cuda.destroyEvent(event));
    return event;
  }

  Block pinned(long bytes) {
    Block block = new PinnedAllocator(cuda, site.host(), "check").allocate(bytes);
    releases.push(block::close);
    return block;
  }

  DevicePool pool(long maxBytes) {
    DevicePool pool =
        new DevicePool(cuda, site.gpu().ordinal(), maxBytes, site.device(), "check/" + maxBytes);
    releases.push(pool::close);
    return pool;
  }

  /** Returns device memory that is there. */
  long memory(DevicePool pool, long bytes, long stream) {
    long address = pool.allocate(bytes, stream);
    releases.push(
        () -> {
          pool.free(address, stream);
          cuda.awaitStream(stream);
        });
    cuda.awaitStream(stream);
    return address;
  }

  /** Has something given back at the end. */
  void add(Runnable release) {
    releases.push(release);
  }

  @Override
  public void close() {
    while (!releases.isEmpty()) {
      releases.pop().run();
    }
  }
}
