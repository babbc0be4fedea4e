package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class PoolShareTest {

  private static final long KIB = 1024;

  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 100 * KIB);
  private final PoolShare model = pool.shareOf("model");
  private final List<String> awake = new ArrayList<>();

  @AfterEach
  void shouldHoldNothingInTheEnd() {
    assertThat(model.heldBytes()).isZero();
    assertThat(pool.leasedBytes()).isZero();
    assertThat(pool.waiters()).isZero();
    assertThat(model.waiters()).isZero();
    pool.close();
  }

  @Test
  void shouldCountBlocksAsThePoolDoes() {
    Lease lease = model.tryAcquire(8 * KIB + 1).orElseThrow();
    assertThat(pool.leasedBytes()).isEqualTo(16 * KIB);
    assertThat(model.heldBytes()).isEqualTo(16 * KIB);

    Lease other = lease.share();
    lease.close();
    assertThat(model.heldBytes()).isEqualTo(16 * KIB);
    other.close();
  }

  @Test
  void shouldHaveWhoWaitedInTheShareWaitForThePoolToo() {
    try (HeapShare others = pool.heapShare();
        HeapShare kept = held(31)) {
      Runnable leave = waitInTheShareThenInThePool(others);
      assertThat(leave).isNotNull();
      assertThat(kept.sizeBytes()).isEqualTo(31 * KIB);
      assertThat(awake).as("the pool is full").isEmpty();
      assertThat(pool.waiters()).isEqualTo(1);
    }
    assertThat(awake).containsExactly("awake");
  }

  @Test
  void shouldLeaveWhereverItWaits() {
    try (HeapShare others = pool.heapShare();
        HeapShare kept = held(31)) {
      Runnable leave = waitInTheShareThenInThePool(others);
      assertThat(pool.waiters()).isEqualTo(1);
      leave.run();
      assertThat(pool.waiters()).isZero();
      assertThat(kept.sizeBytes()).isEqualTo(31 * KIB);
    }
    assertThat(awake).isEmpty();
  }

  /** The share is above its mark, then below it while the pool is above its own. */
  private Runnable waitInTheShareThenInThePool(HeapShare others) {
    Runnable leave;
    try (HeapShare last = held(3)) {
      try (HeapShare most = held(17)) {
        leave = model.awaitRoom(KIB, () -> awake.add("awake"));
        assertThat(leave).isNotNull();
        assertThat(model.waiters()).as("at %d bytes", most.sizeBytes()).isEqualTo(1);
      }
      assertThat(model.waiters()).as("at %d bytes more", last.sizeBytes()).isEqualTo(1);
      assertThat(others.growTo(60 * KIB)).isTrue();
    }
    assertThat(model.waiters()).isZero();
    return java.util.Objects.requireNonNull(leave);
  }

  private HeapShare held(long kib) {
    HeapShare share = model.heapShare();
    assertThat(share.growTo(kib * KIB)).isTrue();
    return share;
  }
}
