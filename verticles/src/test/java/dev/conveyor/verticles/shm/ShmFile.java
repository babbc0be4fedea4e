package dev.conveyor.verticles.shm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/** An object in shared memory, as a client makes one; closing it removes it. Not thread-safe. */
public final class ShmFile implements AutoCloseable {

  private final Path path;

  private ShmFile(Path path) {
    this.path = path;
  }

  /** Makes one with these bytes where POSIX shared memory is on Linux. */
  public static ShmFile of(byte[] bytes) {
    return in(Path.of("/dev/shm"), bytes);
  }

  static ShmFile in(Path directory, byte[] bytes) {
    try {
      Path path = directory.resolve("test-" + UUID.randomUUID());
      return new ShmFile(Files.write(path, bytes, StandardOpenOption.CREATE_NEW));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns what a client registers it by. */
  public String key() {
    return "/" + path.getFileName();
  }

  public byte[] bytes() {
    try {
      return Files.readAllBytes(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes at an offset, in place. */
  public void write(int offset, byte[] bytes) {
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
      file.write(ByteBuffer.wrap(bytes), offset);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Cuts it off, as no client should while it is registered. */
  public void truncate(long bytes) {
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
      file.truncate(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
