package dev.conveyor.verticles.chaos;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.internal.VertxInternal;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Faults of the process that an execution runs in. Stateless. */
final class ProcessFaults {

  private static final int READ_AND_WRITE = 3;
  private static final int SHARED_ANONYMOUS_AT_ONCE = 0x8021;
  private static final long MEMORY_BYTES = 1L << 29;
  private static final long LIFE_MS = 5000;

  private ProcessFaults() {}

  /**
   * Takes half a gigabyte of memory, with which a worker holds more than it may, and keeps it for
   * some seconds. It is shared, with nobody: private memory would be refused by the system, at the
   * limit that a worker is started with.
   *
   * @throws IllegalStateException if there is none to be had
   */
  static void takeMemory() {
    Pointer taken =
        LibC.INSTANCE.mmap(null, MEMORY_BYTES, READ_AND_WRITE, SHARED_ANONYMOUS_AT_ONCE, -1, 0);
    if (Pointer.nativeValue(taken) == -1) {
      throw new IllegalStateException("chaos: no memory to be had");
    }
    try {
      TimeUnit.MILLISECONDS.sleep(LIFE_MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      int unused = LibC.INSTANCE.munmap(taken, MEMORY_BYTES);
    }
  }

  /** The functions called. Public because JNA implements it. */
  public interface LibC extends Library {
    LibC INSTANCE = Native.load("c", LibC.class);

    Pointer mmap(@Nullable Pointer at, long length, int access, int kind, int file, long offset);

    int munmap(Pointer at, long length);
  }

  /**
   * Writes rubbish on every socket of this process; a worker has only the one to its server.
   *
   * @throws IllegalStateException if it is no worker: the server's sockets belong to others
   */
  static void writeGarbage() {
    if (Vertx.currentContext() != null) {
      throw new IllegalStateException("chaos: there is no control channel here");
    }
    try {
      File[] descriptors = new File("/proc/self/fd").listFiles();
      for (File descriptor : descriptors == null ? new File[0] : descriptors) {
        if (isSocket(descriptor.toPath())) {
          write(descriptor(Integer.parseInt(descriptor.getName())));
        }
      }
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("chaos: no garbage could be written: " + e, e);
    }
  }

  /** Blocks one event loop of the server, which serves a part of the connections. */
  static void blockEventLoop(long ms) {
    Context context = Vertx.currentContext();
    if (context != null) {
      ((VertxInternal) context.owner())
          .nettyEventLoopGroup()
          .next()
          .execute(
              () -> {
                try {
                  TimeUnit.MILLISECONDS.sleep(ms);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
              });
    }
  }

  /** Closes nothing: the descriptor is another's. */
  private static void write(FileDescriptor socket) {
    try {
      new FileOutputStream(socket)
          .write("rubbish rubbish rubbish ".getBytes(StandardCharsets.US_ASCII));
    } catch (IOException closed) {
      // The JVM keeps a socket without another end to close channels with.
    }
  }

  private static boolean isSocket(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
    } catch (IOException gone) {
      return false;
    }
  }

  /** Java has no other way to write to a descriptor that it did not open itself. */
  private static FileDescriptor descriptor(int number) throws ReflectiveOperationException {
    Class<?> unsafe = Class.forName("sun.misc.Unsafe");
    Field instance = unsafe.getDeclaredField("theUnsafe");
    instance.setAccessible(true);
    FileDescriptor descriptor = new FileDescriptor();
    Field field = FileDescriptor.class.getDeclaredField("fd");
    Object offset =
        unsafe.getMethod("objectFieldOffset", Field.class).invoke(instance.get(null), field);
    unsafe
        .getMethod("putInt", Object.class, long.class, int.class)
        .invoke(instance.get(null), descriptor, offset, number);
    return descriptor;
  }
}
