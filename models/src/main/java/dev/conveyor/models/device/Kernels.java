package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.KernelCompiler;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;

/** Kernels from the sources beside this class, each compiled once per kind of GPU. Thread-safe. */
final class Kernels {

  private static final Map<Key, byte[]> CODE = new ConcurrentHashMap<>();

  private record Key(String source, int computeCapability) {}

  private Kernels() {}

  /**
   * Returns the code of a source for a device. The first time takes a second.
   *
   * @throws CudaException if it cannot be compiled
   */
  static byte[] code(String source, Cuda cuda, int device) {
    return CODE.computeIfAbsent(
        new Key(source, cuda.computeCapability(device)),
        key -> KernelCompiler.compile(source, text(source), key.computeCapability()));
  }

  private static String text(String source) {
    try (InputStream in =
        Objects.requireNonNull(Kernels.class.getResourceAsStream(source), source)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(source, e);
    }
  }
}
