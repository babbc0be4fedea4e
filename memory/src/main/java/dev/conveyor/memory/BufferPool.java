package dev.conveyor.memory;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.errorprone.annotations.CheckReturnValue;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Recycles blocks of native memory in power-of-two size classes, up to a cap on the bytes it holds.
 *
 * <p>Thread-safe: requests are read on event loops and their leases are closed by instances. A lock
 * held for a few list operations is enough, because only large inputs take a lease.
 *
 * <p>Invariant: {@code leasedBytes + idleBytes <= maxBytes}. When a class has no idle block and the
 * cap is near, idle blocks of the other classes are freed first, by whoever needs the room; blocks
 * are allocated and freed outside of the lock. At the cap {@link #tryAcquire} returns empty: the
 * caller refuses the request.
 *
 * <p>Before it comes to that, whoever has not begun yet can wait: {@link #awaitRoom} above 80 % of
 * the cap, until it is half empty, or above half of it for one model ({@link PoolShare}). Who has
 * begun must go on, or nothing would ever come back.
 */
@CheckReturnValue
public final class BufferPool implements AutoCloseable {

  private static final int MIN_CLASS = 12;
  private static final int MAX_CLASS = 31;

  private final BlockAllocator allocator;
  private final long maxBytes;
  private final ConcurrentHashMap<String, PoolShare> shares = new ConcurrentHashMap<>();

  @GuardedBy("this")
  private final Deque<Block>[] idle;

  @GuardedBy("this")
  private long leasedBytes;

  @GuardedBy("this")
  private long idleBytes;

  @GuardedBy("this")
  private long lends;

  @GuardedBy("this")
  private final WaitingRoom waiting;

  @GuardedBy("this")
  private boolean closed;

  @SuppressWarnings({"unchecked", "rawtypes"}) // an array of deques
  public BufferPool(BlockAllocator allocator, long maxBytes) {
    this.allocator = allocator;
    this.maxBytes = maxBytes;
    this.waiting = new WaitingRoom(maxBytes);
    this.idle = new Deque[MAX_CLASS + 1];
    for (int c = MIN_CLASS; c <= MAX_CLASS; c++) {
      idle[c] = new ArrayDeque<>();
    }
  }

  /** Lends a block of at least {@code bytes}, or returns empty if that would exceed the cap. */
  public Optional<Lease> tryAcquire(long bytes) {
    return tryAcquire(bytes, null);
  }

  Optional<Lease> tryAcquire(long bytes, @Nullable PoolShare share) {
    int sizeClass = sizeClass(bytes);
    Block block = take(sizeClass);
    if (block == null) {
      return Optional.empty();
    }
    var view = block.buffer().slice(0, Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
    return Optional.of(new Lease(this, block, view, bytes, share));
  }

  /**
   * Lends a block of at least {@code bytes}.
   *
   * @throws BudgetExceededException if that would exceed the cap
   */
  public Lease acquire(long bytes) {
    return tryAcquire(bytes)
        .orElseThrow(
            () ->
                new BudgetExceededException(
                    "request memory",
                    bytes - (maxBytes - leasedBytes()),
                    "%d bytes asked of a buffer pool that lends at most %d and has lent %d"
                        .formatted(bytes, maxBytes, leasedBytes())));
  }

  /**
   * Lends zeros on the heap, of exactly that size, of which nothing is kept when they come back;
   * empty if that would exceed the cap.
   */
  public Optional<Lease> tryAcquireHeap(int bytes) {
    if (!takeHeap(bytes)) {
      return Optional.empty();
    }
    ByteBuffer heap;
    try {
      heap = ByteBuffer.allocate(bytes);
    } catch (OutOfMemoryError e) {
      giveBackHeap(bytes);
      throw e;
    }
    return Optional.of(counted(heap));
  }

  /**
   * Counts bytes that are there already as lent until the lease is closed; empty if that would
   * exceed the cap.
   */
  public Optional<Lease> tryLend(ByteBuffer bytes) {
    return takeHeap(bytes.limit()) ? Optional.of(counted(bytes)) : Optional.empty();
  }

  private Lease counted(ByteBuffer bytes) {
    CountedBlock block = new CountedBlock(bytes);
    return new Lease(this, block, block.buffer(), block.sizeBytes(), null);
  }

  /** Returns an account for bytes on the heap that count as leased; it holds none yet. */
  public HeapShare heapShare() {
    return new HeapShare(this, null);
  }

  /**
   * Returns the share of a model, always the same.
   *
   * @param model that exists: shares are never forgotten
   */
  public PoolShare shareOf(String model) {
    return shares.computeIfAbsent(model, name -> new PoolShare(this));
  }

  /** Returns whether there is room for work that can be left out: less than half is lent. */
  public synchronized boolean hasSpare() {
    return waiting.isLow(leasedBytes);
  }

  /**
   * Takes bytes on the heap for work that can be left out; null if more than half would be lent
   * with them. The other half is for work that somebody waits for.
   *
   * @param bytes may be 0, where the work holds on to what is lent already
   */
  public synchronized @Nullable HeapShare tryTakeSpare(long bytes) {
    if (!waiting.isLow(leasedBytes + bytes)) {
      return null;
    }
    HeapShare share = heapShare();
    return share.growTo(bytes) ? share : null;
  }

  /**
   * Returns null if there is room to begin, otherwise the place in the queue: {@code wakeUp} is
   * called once, on the thread that gives memory back, unless the place is given up before.
   *
   * @param bytes that are going to be wanted
   */
  public synchronized @Nullable Runnable awaitRoom(long bytes, Runnable wakeUp) {
    if (!waiting.isHigh(leasedBytes)) {
      return null;
    }
    WaitingRoom.Waiter waiter = new WaitingRoom.Waiter(bytes, wakeUp);
    waiting.add(waiter);
    return () -> leave(waiter);
  }

  /** Returns how many wait for room. */
  public synchronized int waiters() {
    return waiting.size();
  }

  /** Lets those go who find room now; whoever was let go and wants nothing any more calls it. */
  public void wakeWaiters() {
    List<Runnable> released;
    synchronized (this) {
      released = waiting.release(leasedBytes);
    }
    released.forEach(Runnable::run);
  }

  private synchronized void leave(WaitingRoom.Waiter waiter) {
    waiting.remove(waiter);
  }

  public synchronized long leasedBytes() {
    return leasedBytes;
  }

  public synchronized long idleBytes() {
    return idleBytes;
  }

  public long maxBytes() {
    return maxBytes;
  }

  /** Returns how many blocks were lent since it was made. */
  public synchronized long lends() {
    return lends;
  }

  /**
   * Frees every idle block, outside of the lock: where blocks are pinned, each may wait for a
   * device. Returns the bytes freed.
   */
  @CanIgnoreReturnValue
  public long trim() {
    List<Block> unused;
    synchronized (this) {
      unused = takeIdle();
    }
    return free(unused);
  }

  /** Frees what is idle now, and every lent block when it comes back. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    trim();
  }

  @GuardedBy("this")
  private List<Block> takeIdle() {
    List<Block> unused = new ArrayList<>();
    for (int c = MIN_CLASS; c <= MAX_CLASS; c++) {
      unused.addAll(idle[c]);
      idle[c].clear();
    }
    idleBytes = 0;
    return unused;
  }

  private static long free(List<Block> unused) {
    long bytes = 0;
    for (Block block : unused) {
      bytes += block.sizeBytes();
      block.close();
    }
    return bytes;
  }

  void giveBack(Block block) {
    if (block instanceof CountedBlock) {
      giveBackHeap(block.sizeBytes());
      return;
    }
    keep(block);
    wakeWaiters();
  }

  private synchronized void keep(Block block) {
    leasedBytes -= block.sizeBytes();
    if (closed) {
      block.close();
      return;
    }
    idleBytes += block.sizeBytes();
    idle[sizeClass(block.sizeBytes())].push(block);
  }

  boolean takeHeap(long bytes) {
    List<Block> surplus;
    synchronized (this) {
      surplus = reserve(bytes);
    }
    if (surplus == null) {
      return false;
    }
    long unused = free(surplus);
    return true;
  }

  void giveBackHeap(long bytes) {
    synchronized (this) {
      leasedBytes -= bytes;
    }
    wakeWaiters();
  }

  private @Nullable Block take(int sizeClass) {
    long bytes = blockBytes(sizeClass);
    List<Block> surplus;
    synchronized (this) {
      if (closed) {
        throw new IllegalStateException("the buffer pool is closed");
      }
      Block block = idle[sizeClass].poll();
      if (block != null) {
        idleBytes -= block.sizeBytes();
        leasedBytes += block.sizeBytes();
        lends++;
        return block;
      }
      surplus = reserve(bytes);
      if (surplus == null) {
        return null;
      }
      lends++;
    }
    // Outside of the lock: memory that is pinned may take a device's time, and others go on.
    try {
      long unused = free(surplus);
      return allocator.allocate(bytes);
    } catch (RuntimeException | Error e) {
      giveBackHeap(bytes);
      throw e;
    }
  }

  /**
   * Counts bytes as leased. Returns the blocks that must be freed first, which are nobody's any
   * more; null if it would exceed the cap.
   */
  @GuardedBy("this")
  private @Nullable List<Block> reserve(long bytes) {
    if (bytes > maxBytes - leasedBytes) {
      return null;
    }
    List<Block> surplus = bytes > maxBytes - leasedBytes - idleBytes ? takeIdle() : List.of();
    leasedBytes += bytes;
    return surplus;
  }

  private static long blockBytes(int sizeClass) {
    // The largest class is limited by what one byte buffer can view.
    return sizeClass == MAX_CLASS ? Integer.MAX_VALUE - 1024L : 1L << sizeClass;
  }

  private static int sizeClass(long bytes) {
    if (bytes <= 0 || bytes > blockBytes(MAX_CLASS)) {
      throw new IllegalArgumentException("a lease has 1 to 2^31-1025 bytes, was " + bytes);
    }
    return Math.max(MIN_CLASS, 64 - Long.numberOfLeadingZeros(bytes - 1));
  }
}
