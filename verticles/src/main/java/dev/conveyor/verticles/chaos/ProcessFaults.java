package dev.conveyor.verticles.chaos;

import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.internal.VertxInternal;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.reflect.Field;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** Faults of the process that an execution runs in. Stateless. */
final class ProcessFaults {

  private static final int PAGE_BYTES = 4096;
  private static final long MEMORY_BYTES = 1L << 30;
  private static final long LIFE_MS = 5000;

  private ProcessFaults() {}

  /** Takes a gigabyte of resident memory and keeps it for some seconds. */
  static void takeMemory() {
    try {
      Path file = Files.createTempFile("conveyor-chaos", "");
      try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
        sparse.setLength(MEMORY_BYTES);
        MappedByteBuffer pages = sparse.getChannel().map(MapMode.READ_ONLY, 0, MEMORY_BYTES);
        int sum = 0;
        for (int at = 0; at < MEMORY_BYTES; at += PAGE_BYTES) {
          sum += pages.get(at);
        }
        TimeUnit.MILLISECONDS.sleep(LIFE_MS + sum);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new IllegalStateException("chaos: no memory to be had: " + e, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
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
