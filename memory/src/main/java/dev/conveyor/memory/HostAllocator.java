package dev.conveyor.memory;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The C library's own books: what was allocated and not freed, to the byte, by every library of the
 * process. Unlike resident memory they know nothing of pages, caches and the Java heap.
 *
 * <p>Thread-safe: no state. GNU C library 2.33 and later; elsewhere it says nothing.
 */
public final class HostAllocator {

  private static final @Nullable LibC LIBC = load();

  private HostAllocator() {}

  /**
   * Returns the bytes that {@code malloc} gave out and that were not freed, of all arenas and
   * mappings, with what the JVM itself allocated so; empty if the C library does not tell. Takes
   * microseconds and the allocator's locks.
   */
  public static OptionalLong allocatedBytes() {
    if (LIBC == null) {
      return OptionalLong.empty();
    }
    MallInfo2 info = LIBC.mallinfo2();
    return OptionalLong.of(info.uordblks + info.hblkhd);
  }

  private static @Nullable LibC load() {
    try {
      LibC libc = Native.load("c", LibC.class);
      MallInfo2 unused = libc.mallinfo2();
      return libc;
    } catch (LinkageError e) {
      return null;
    }
  }

  /** The functions called; see mallinfo(3). Public because JNA implements it. */
  public interface LibC extends Library {
    MallInfo2 mallinfo2();
  }

  /** {@code struct mallinfo2} of malloc.h, all fields {@code size_t}. */
  @FieldOrder({
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost"
  })
  public static final class MallInfo2 extends Structure implements Structure.ByValue {
    public long arena;
    public long ordblks;
    public long smblks;
    public long hblks;
    public long hblkhd;
    public long usmblks;
    public long fsmblks;
    public long uordblks;
    public long fordblks;
    public long keepcost;
  }
}
