package dev.conveyor.verticles.bench.load;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The inputs of prepared requests in one object of POSIX shared memory, until it is closed.
 *
 * <p>Thread-safe: nothing changes but that the object goes.
 */
final class SharedInputs implements AutoCloseable {

  private static final Path DIRECTORY = Path.of("/dev/shm");

  private final Path object;
  private final long byteSize;
  private final List<HttpPayload> requests;

  private SharedInputs(Path object, long byteSize, List<HttpPayload> requests) {
    this.object = object;
    this.byteSize = byteSize;
    this.requests = List.copyOf(requests);
  }

  /** Writes the tensors of these requests one after the other. */
  static SharedInputs write(List<InferPayload> payloads) {
    return write(payloads, DIRECTORY);
  }

  /**
   * As the other, in the place of the system's shared memory. If that fails nothing stays there.
   */
  static SharedInputs write(List<InferPayload> payloads, Path directory) {
    Path object = directory.resolve("bench-" + UUID.randomUUID());
    boolean isWhole = false;
    try {
      SharedInputs inputs = writeTo(object, payloads);
      isWhole = true;
      return inputs;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      if (!isWhole) {
        delete(object);
      }
    }
  }

  private static SharedInputs writeTo(Path object, List<InferPayload> payloads) throws IOException {
    List<HttpPayload> requests = new ArrayList<>();
    long written = 0;
    try (OutputStream out = Files.newOutputStream(object, StandardOpenOption.CREATE_NEW)) {
      for (InferPayload payload : payloads) {
        requests.add(HttpPayload.inRegion(payload, region(object), written));
        for (RequestTensor tensor : payload.inputs()) {
          out.write(tensor.data().getBytes());
          written += tensor.data().length();
        }
      }
    }
    return new SharedInputs(object, written, requests);
  }

  /** Returns the name to register it by. */
  String region() {
    return region(object);
  }

  /** Returns the name of the object for the system. */
  String key() {
    return "/" + object.getFileName();
  }

  long byteSize() {
    return byteSize;
  }

  List<HttpPayload> requests() {
    return requests;
  }

  /** Removes the object. Closing twice is harmless. */
  @Override
  public void close() {
    delete(object);
  }

  private static void delete(Path object) {
    try {
      Files.deleteIfExists(object);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String region(Path object) {
    return object.getFileName().toString();
  }
}
