package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.BytePointer;
import org.junit.jupiter.api.Test;

final class BufferPoolTest {

  private static final long KIB = 1024;

  @Test
  void shouldLendTheSameBlockAgainWhenItCameBack() {
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 64 * KIB)) {
      Lease first = pool.acquire(5000);
      final long address = first.address();
      first.buffer().putInt(4996, 42);
      first.close();
      first.close();

      try (Lease second = pool.acquire(8192)) {
        assertThat(second.address()).isEqualTo(address);
        assertThat(second.address() % 64).isZero();
        assertThat(new BytePointer(second.buffer()).address()).isEqualTo(address);
        assertThat(second.buffer().capacity()).isEqualTo(8192);
        assertThat(second.buffer().getInt(4996)).isEqualTo(42);
      }
      assertThat(pool.leasedBytes()).isZero();
      assertThat(pool.idleBytes()).isEqualTo(8 * KIB);
    }
  }

  @Test
  void shouldFreeWhatIsIdleOutsideOfItsLock() {
    List<Boolean> locked = new ArrayList<>();
    BufferPool[] self = new BufferPool[1];
    BlockAllocator allocator =
        bytes -> new WatchedBlock(bytes, () -> locked.add(Thread.holdsLock(self[0])));
    BufferPool pool = new BufferPool(allocator, 64 * KIB);
    self[0] = pool;
    pool.acquire(4 * KIB).close();
    pool.acquire(8 * KIB).close();

    assertThat(pool.trim()).isEqualTo(12 * KIB);
    assertThat(pool.idleBytes()).isZero();
    pool.acquire(4 * KIB).close();
    pool.close();
    assertThat(locked).containsExactly(false, false, false);
  }

  /** To pin memory takes milliseconds, in which event loops take leases, too. */
  @Test
  void shouldAllocateAndFreeForOthersOutsideOfItsLock() {
    List<Boolean> locked = new ArrayList<>();
    BufferPool[] self = new BufferPool[1];
    Runnable watch = () -> locked.add(self[0] != null && Thread.holdsLock(self[0]));
    BlockAllocator allocator =
        bytes -> {
          watch.run();
          return new WatchedBlock(bytes, watch);
        };
    try (BufferPool pool = new BufferPool(allocator, 16 * KIB)) {
      self[0] = pool;
      pool.acquire(8 * KIB).close();
      pool.acquire(16 * KIB).close();
      pool.tryAcquireHeap((int) (8 * KIB)).orElseThrow().close();
      assertThat(pool.leasedBytes() + pool.idleBytes()).isZero();
    }
    assertThat(locked).hasSize(4).containsOnly(false);
  }

  @Test
  void shouldTakeNothingWhereTheSystemHasNone() {
    BlockAllocator none =
        bytes -> {
          throw new OutOfMemoryError("no memory");
        };
    try (BufferPool pool = new BufferPool(none, 16 * KIB)) {
      assertThatThrownBy(() -> pool.acquire(8 * KIB)).isInstanceOf(OutOfMemoryError.class);
      assertThat(pool.leasedBytes()).isZero();
    }
  }

  private record WatchedBlock(Block block, Runnable onClose) implements Block {

    WatchedBlock(long bytes, Runnable onClose) {
      this(BlockAllocator.host().allocate(bytes), onClose);
    }

    @Override
    public long address() {
      return block.address();
    }

    @Override
    public long sizeBytes() {
      return block.sizeBytes();
    }

    @Override
    public ByteBuffer buffer() {
      return block.buffer();
    }

    @Override
    public void close() {
      onClose.run();
      block.close();
    }
  }

  @Test
  void shouldRefuseBeyondTheCapAndLendAtIt() {
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 16 * KIB)) {
      Lease one = pool.acquire(8 * KIB);
      Lease two = pool.acquire(8 * KIB);

      assertThat(pool.tryAcquire(1)).isEmpty();
      assertThatThrownBy(() -> pool.acquire(4 * KIB))
          .isInstanceOf(BudgetExceededException.class)
          .hasMessageContaining("4096")
          .hasMessageContaining("16384");
      one.close();
      two.close();
      assertThat(pool.tryAcquire(16 * KIB))
          .as("idle blocks of other classes make room")
          .isPresent();
    }
  }

  @Test
  void shouldCountWhatIsOnTheHeapToTheByteAndKeepNoneOfIt() {
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 16 * KIB)) {
      pool.acquire(8 * KIB).close();
      Lease heap = pool.tryAcquireHeap(9_000).orElseThrow();
      assertThat(pool.idleBytes()).as("made room").isZero();
      assertThat(heap.buffer().getLong(8_992)).isZero();
      assertThat(heap.buffer().order()).isEqualTo(java.nio.ByteOrder.LITTLE_ENDIAN);
      Lease there = pool.tryLend(java.nio.ByteBuffer.allocate(7_000)).orElseThrow();
      assertThat(pool.leasedBytes()).isEqualTo(16_000);
      assertThat(pool.tryAcquireHeap(385)).isEmpty();
      assertThat(pool.tryLend(java.nio.ByteBuffer.allocate(385))).isEmpty();
      List<String> woken = new ArrayList<>();
      assertThat(pool.awaitRoom(1, () -> woken.add("awake"))).isNotNull();

      Lease share = heap.share();
      heap.close();
      there.close();
      assertThat(pool.leasedBytes()).isEqualTo(9_000);
      assertThat(woken).isEmpty();
      share.close();
      assertThat(pool.leasedBytes()).isZero();
      assertThat(pool.idleBytes()).isZero();
      assertThat(woken).containsExactly("awake");
    }
  }

  @Test
  void shouldFreeLentBlocksThatComeBackAfterClose() {
    List<Long> freed = new ArrayList<>();
    BufferPool pool =
        new BufferPool(bytes -> new RecordingBlock(new HostBlock(bytes), freed), 64 * KIB);
    Lease lease = pool.acquire(4096);
    pool.close();
    assertThat(freed).isEmpty();
    lease.close();
    assertThat(freed).containsExactly(4096L);
    assertThat(pool.leasedBytes()).isZero();
  }

  @Property(tries = 200)
  void shouldNeverHoldMoreThanTheCap(
      @ForAll List<@IntRange(min = 1, max = 40_000) Integer> sizes, @ForAll long seed) {
    var random = new java.util.Random(seed);
    List<Lease> held = new ArrayList<>();
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 100 * KIB)) {
      for (int size : sizes) {
        pool.tryAcquire(size).ifPresent(held::add);
        assertThat(pool.leasedBytes() + pool.idleBytes()).isLessThanOrEqualTo(100 * KIB);
        if (!held.isEmpty() && random.nextBoolean()) {
          held.remove(random.nextInt(held.size())).close();
        }
      }
      held.forEach(Lease::close);
      assertThat(pool.leasedBytes()).isZero();
    }
  }

  private record RecordingBlock(Block block, List<Long> freed) implements Block {
    @Override
    public long address() {
      return block.address();
    }

    @Override
    public long sizeBytes() {
      return block.sizeBytes();
    }

    @Override
    public java.nio.ByteBuffer buffer() {
      return block.buffer();
    }

    @Override
    public void close() {
      freed.add(sizeBytes());
      block.close();
    }
  }

  @Test
  void shouldTakeABlockBackWhenItsLastShareIsClosed() {
    try (BufferPool shared = new BufferPool(BlockAllocator.host(), 1 << 20)) {
      Lease lease = shared.acquire(100);
      Lease share = lease.share();
      lease.close();
      lease.close();
      assertThat(shared.leasedBytes()).isEqualTo(4096);
      share.close();
      share.close();
      assertThat(shared.leasedBytes()).isZero();
    }
  }

  @Test
  void shouldCountBytesOnTheHeapAgainstTheSameCap() {
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 100_000);
        HeapShare share = pool.heapShare()) {
      assertThat(share.growTo(60_000)).isTrue();
      assertThat(share.growTo(50_000)).as("it never shrinks").isTrue();
      assertThat(pool.leasedBytes()).isEqualTo(60_000);
      assertThat(pool.tryAcquire(65_536)).isEmpty();
      assertThat(share.growTo(100_001)).isFalse();
      assertThat(share.growTo(100_000)).isTrue();
      share.close();
      share.close();
      assertThat(pool.leasedBytes()).isZero();
      assertThat(share.growTo(200_000)).as("closed").isFalse();
    }
  }

  @Test
  void shouldFreeIdleBlocksForBytesOnTheHeap() {
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 100_000);
        HeapShare share = pool.heapShare()) {
      pool.acquire(65_536).close();
      assertThat(pool.idleBytes()).isEqualTo(65_536);
      assertThat(share.growTo(90_000)).isTrue();
      assertThat(pool.idleBytes()).isZero();
    }
  }

  @Test
  void shouldLetNewcomersWaitAboveTheHighWaterMarkUntilTheLow() {
    List<String> woken = new ArrayList<>();
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 1000)) {
      HeapShare most = pool.heapShare();
      HeapShare rest = pool.heapShare();
      assertThat(most.growTo(500)).isTrue();
      assertThat(rest.growTo(300)).isTrue();
      assertThat(pool.awaitRoom(1, () -> woken.add("none"))).as("exactly at the mark").isNull();
      assertThat(rest.growTo(301)).isTrue();

      assertThat(pool.awaitRoom(300, () -> woken.add("first"))).isNotNull();
      Runnable second = pool.awaitRoom(1, () -> woken.add("second"));
      assertThat(pool.awaitRoom(1, () -> woken.add("third"))).isNotNull();
      assertThat(second).isNotNull();
      second.run();
      assertThat(pool.waiters()).isEqualTo(2);
      assertThat(woken).isEmpty();

      rest.close();
      assertThat(woken).as("500 and 300 reach the high mark").containsExactly("first");
      most.close();
      assertThat(woken).containsExactly("first", "third");
      assertThat(pool.waiters()).isZero();
    }
  }

  @Test
  void shouldNotWakeAnybodyAboveTheLowWaterMark() {
    List<String> woken = new ArrayList<>();
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 1000)) {
      HeapShare most = pool.heapShare();
      HeapShare rest = pool.heapShare();
      assertThat(most.growTo(501)).isTrue();
      assertThat(rest.growTo(400)).isTrue();
      assertThat(pool.awaitRoom(5000, () -> woken.add("large"))).isNotNull();
      rest.close();
      assertThat(woken).isEmpty();

      most.close();
      assertThat(woken).as("one goes, however much it wants").containsExactly("large");
    }
  }

  @Test
  void shouldKeepHalfForWorkThatSomebodyWaitsFor() {
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 1000)) {
      HeapShare client = pool.heapShare();
      assertThat(client.growTo(300)).isTrue();
      assertThat(pool.tryTakeSpare(201)).isNull();
      assertThat(pool.leasedBytes()).isEqualTo(300);

      HeapShare copy = pool.tryTakeSpare(200);
      assertThat(copy).isNotNull();
      assertThat(pool.leasedBytes()).isEqualTo(500);
      assertThat(pool.hasSpare()).as("exactly half").isTrue();
      assertThat(client.growTo(301)).isTrue();
      assertThat(pool.hasSpare()).isFalse();
      assertThat(pool.tryTakeSpare(0)).isNull();

      assertThat(client.growTo(800)).as("whoever is waited for finds the rest").isTrue();
      copy.close();
      client.close();
      assertThat(pool.leasedBytes()).isZero();
    }
  }
}
