package dev.conveyor.memory;

import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.Pointer;

/** Figures of the process's memory outside the Java heap. Thread-safe: no state. */
public final class HostMemory {

  private static final Path STATM = Path.of("/proc/self/statm");
  private static final long PAGE_BYTES = 4096;

  private HostMemory() {}

  /**
   * Returns the resident bytes of the process that are not Java heap, as close as can be told: what
   * native libraries hold, plus the JVM's own; 0 where the system does not say.
   */
  public static long residentBytes() {
    try {
      String[] pages = Files.readString(STATM).split(" ", -1);
      long resident = Long.parseLong(pages[1]) * PAGE_BYTES;
      MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
      return Math.max(0, resident - heap.getCommitted());
    } catch (IOException | NumberFormatException e) {
      return 0;
    }
  }

  /**
   * Returns the bytes that were allocated outside the Java heap and not freed: exact where the C
   * library keeps books, otherwise {@link #residentBytes}.
   */
  public static long nativeBytes() {
    return HostAllocator.allocatedBytes().orElseGet(HostMemory::residentBytes);
  }

  /** Makes the C allocator give back to the system what was freed. Takes milliseconds. */
  public static void trim() {
    boolean unused = Pointer.trimMemory();
  }

  /** Returns the bytes that Java code holds through native pointers and direct buffers. */
  public static long pointerBytes() {
    long bytes = Pointer.totalBytes();
    for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
      bytes += pool.getMemoryUsed();
    }
    return bytes;
  }
}
