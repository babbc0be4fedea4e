package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;

final class HostAllocatorTest {

  private static final long LARGE = 512L << 20;

  @Test
  void shouldCountWhatIsAllocatedUntilItIsFreed() {
    assumeTrue(HostAllocator.allocatedBytes().isPresent(), "no GNU C library");
    long before = HostAllocator.allocatedBytes().getAsLong();
    Pointer block = Pointer.malloc(LARGE);
    long during = HostAllocator.allocatedBytes().getAsLong();
    Pointer.free(block);
    long after = HostAllocator.allocatedBytes().getAsLong();

    // The JVM allocates meanwhile too, but not hundreds of megabytes.
    assertThat(during - before).isGreaterThan(LARGE / 2);
    assertThat(during - after).isGreaterThan(LARGE / 2);
  }
}
