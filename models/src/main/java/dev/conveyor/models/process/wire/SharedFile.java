package dev.conveyor.models.process.wire;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Memory that two processes map. The one that creates it deletes the file as soon as the other has
 * mapped it, so that nothing is left behind, however the two end.
 *
 * <p>Not thread-safe: owned by the thread that uses the bytes, which closes it and then must not
 * touch any view of it.
 */
public final class SharedFile implements AutoCloseable {

  /** One byte buffer views it all. */
  public static final long MAX_BYTES = Integer.MAX_VALUE - 4096L;

  private static final int FILL_BYTES = 1 << 16;

  private final Path path;
  private final MappedByteBuffer bytes;
  private boolean open = true;

  private SharedFile(Path path, MappedByteBuffer bytes) {
    this.path = path;
    this.bytes = bytes;
    bytes.order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Creates a file of zeros and maps it. Every page is written: a file system that is full says so
   * here, and not by a fault when a tensor is written.
   */
  public static SharedFile create(Path path, long sizeBytes) throws IOException {
    try (FileChannel file =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      ByteBuffer zeros = ByteBuffer.allocateDirect(FILL_BYTES);
      for (long left = sizeBytes; left > 0; left -= zeros.position()) {
        zeros.clear().limit((int) Math.min(left, FILL_BYTES));
        while (zeros.hasRemaining()) {
          file.write(zeros);
        }
      }
      return new SharedFile(path, file.map(FileChannel.MapMode.READ_WRITE, 0, sizeBytes));
    } catch (IOException e) {
      Files.deleteIfExists(path);
      throw e;
    }
  }

  /** Maps a file that the other process has created. */
  public static SharedFile open(Path path, long sizeBytes) throws IOException {
    try (FileChannel file =
        FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      if (sizeBytes < 0 || sizeBytes > Math.min(file.size(), MAX_BYTES)) {
        throw new IOException(
            path + ": " + file.size() + " bytes, " + sizeBytes + " are to be mapped");
      }
      return new SharedFile(path, file.map(FileChannel.MapMode.READ_WRITE, 0, sizeBytes));
    }
  }

  public Path path() {
    return path;
  }

  public int sizeBytes() {
    return bytes.capacity();
  }

  /** Returns the bytes, little-endian, always the same view; use absolute access or slices. */
  public ByteBuffer bytes() {
    return bytes;
  }

  /** Takes the name away; the memory stays with those who have mapped it. */
  public void unlink() throws IOException {
    Files.deleteIfExists(path);
  }

  /** Unmaps it and deletes the file if it is still there. */
  @Override
  public void close() {
    if (open) {
      open = false;
      Unmapper.unmap(bytes);
      try {
        unlink();
      } catch (IOException e) {
        // Left for the next start to clean.
      }
    }
  }

  /** Unmaps at once: mappings that wait for the collector would add up with every restart. */
  private static final class Unmapper {
    private static final Object UNSAFE;
    private static final Method INVOKE_CLEANER;

    static {
      try {
        Class<?> unsafe = Class.forName("sun.misc.Unsafe");
        Field instance = unsafe.getDeclaredField("theUnsafe");
        instance.setAccessible(true);
        UNSAFE = instance.get(null);
        INVOKE_CLEANER = unsafe.getMethod("invokeCleaner", ByteBuffer.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    static void unmap(MappedByteBuffer buffer) {
      try {
        INVOKE_CLEANER.invoke(UNSAFE, buffer);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
