package dev.conveyor.verticles.profile;

import dev.conveyor.models.backend.Backend;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * What a profile is of: a model file, and everything else that its speed depends on. Immutable.
 *
 * @param directory of the model's version
 * @param device what the file is named after: the device in the scheduler, or its kind
 * @param conditions under which it was measured; under others it is worth nothing
 */
public record ProfileKey(Path directory, String device, Map<String, String> conditions) {

  /** Of larger files the two ends are read. */
  private static final long READ_WHOLE_BYTES = 256L << 20;

  private static final int END_BYTES = 1 << 20;
  private static final int CHUNK_BYTES = 1 << 16;

  public ProfileKey {
    conditions = Map.copyOf(conditions);
  }

  /**
   * A model file with what its speed depends on wherever it runs. Immutable.
   *
   * @param directory of the model's version
   */
  public record Subject(Path directory, Map<String, String> conditions) {

    public Subject {
      conditions = Map.copyOf(conditions);
    }

    /**
     * Looks at a model. Reads the file: blocking.
     *
     * @throws IOException if the file cannot be read
     */
    public static Subject of(Path file, Backend backend, Map<String, String> parameters)
        throws IOException {
      return new Subject(
          file.toAbsolutePath().resolveSibling(""),
          Map.of(
              "model", checksum(file),
              "backend", (backend.name() + " " + backend.version()).strip(),
              "parameters", new TreeMap<>(parameters).toString()));
    }

    /**
     * Returns the key of the model on the CPU.
     *
     * @param device name in the scheduler
     * @param cores that executions may use
     * @param threads of one execution
     * @param idleThreads of one while nothing else wants the cores
     */
    public ProfileKey onCpu(String device, int cores, int threads, int idleThreads) {
      return with(
          device,
          Map.of(
              "device",
              processor() + ", " + cores + " cores",
              "threads",
              idleThreads == threads
                  ? Integer.toString(threads)
                  : threads + ", " + idleThreads + " while idle"));
    }

    /** Returns the key of the model on GPUs of one kind, whichever of them it is. */
    public ProfileKey onGpu(String kind) {
      return with(kind, Map.of("device", kind));
    }

    private ProfileKey with(String device, Map<String, String> more) {
      Map<String, String> all = new TreeMap<>(conditions);
      all.putAll(more);
      return new ProfileKey(directory, device, all);
    }
  }

  /** Returns size and CRC-32C. It tells versions apart; it is no protection against malice. */
  static String checksum(Path file) throws IOException {
    CRC32C crc = new CRC32C();
    long size = Files.size(file);
    if (size <= READ_WHOLE_BYTES) {
      byte[] chunk = new byte[CHUNK_BYTES];
      try (InputStream in = Files.newInputStream(file)) {
        for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
          crc.update(chunk, 0, n);
        }
      }
    } else {
      try (FileChannel channel = FileChannel.open(file)) {
        update(crc, channel, 0);
        update(crc, channel, size - END_BYTES);
      }
    }
    return "%d bytes, crc32c %08x".formatted(size, crc.getValue());
  }

  private static void update(CRC32C crc, FileChannel channel, long position) throws IOException {
    ByteBuffer end = ByteBuffer.allocate(END_BYTES);
    int read = 0;
    while (end.hasRemaining() && read >= 0) {
      read = channel.read(end, position + end.position());
    }
    crc.update(end.flip());
  }

  private static String processor() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException | RuntimeException e) {
      return System.getProperty("os.arch");
    }
  }
}
