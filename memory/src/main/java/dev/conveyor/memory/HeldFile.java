package dev.conveyor.memory;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A file that is held open, so that it can be opened again whatever becomes of its name: another
 * file may be renamed over it, or it may be deleted.
 *
 * <p>Thread-safe. Takes a file descriptor and, once the file is deleted, the room that it has on
 * the disk; the system takes back both when the process ends.
 */
public final class HeldFile implements AutoCloseable {

  private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
  private static final int READ_ONLY_CLOSED_IN_CHILDREN = 0x80000; // O_RDONLY | O_CLOEXEC

  private static final @Nullable LibC LIBC = load();

  private final LibC libc;
  private final int descriptor;
  private final AtomicBoolean open = new AtomicBoolean(true);

  private HeldFile(LibC libc, int descriptor) {
    this.libc = libc;
    this.descriptor = descriptor;
  }

  /**
   * Opens a file. Blocking.
   *
   * @throws IOException if it cannot be opened, or this is not Linux
   */
  public static HeldFile open(Path file) throws IOException {
    LibC libc = LIBC;
    if (libc == null) {
      throw new IOException("there is no " + DESCRIPTORS);
    }
    try {
      return new HeldFile(
          libc, libc.open(file.toAbsolutePath().toString(), READ_ONLY_CLOSED_IN_CHILDREN));
    } catch (LastErrorException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Returns where this process opens it, and others of the same user and container; of no use once
   * this is closed.
   */
  public Path path() {
    return Path.of(
        "/proc/%d/fd/%d".formatted(ProcessHandle.current().pid(), descriptor)); // proc_pid_fd(5)
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      int unused = libc.close(descriptor);
    }
  }

  private static @Nullable LibC load() {
    try {
      return Files.isDirectory(DESCRIPTORS) ? Native.load("c", LibC.class) : null;
    } catch (LinkageError e) {
      return null;
    }
  }

  /** The functions called. Public because JNA implements it. */
  public interface LibC extends Library {
    int open(String path, int flags) throws LastErrorException;

    int close(int descriptor);
  }
}
