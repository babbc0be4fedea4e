package dev.conveyor.models.tensorrt;

import dev.conveyor.models.ScratchFiles;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Engines in files, each with what it depends on and a checksum: what is not whole, or was made for
 * anything else, is as good as not there.
 *
 * <p>Thread-safe, also between processes that share the directory: a file is written under another
 * name and then renamed, so nobody reads half of one. A directory that cannot be written costs the
 * time to build the next engine, and nothing else.
 *
 * <pre>
 *   magic 8, digest of the key 32, SHA-256 of the engine 32, bytes of the engine 8, engine
 * </pre>
 */
final class EngineCache {

  private static final Logger log = LoggerFactory.getLogger(EngineCache.class);

  private static final long MAGIC = 0x434F4E5645594F31L;
  private static final int HEADER_BYTES = 8 + 32 + 32 + 8;

  private final Path directory;

  EngineCache(Path directory) {
    this.directory = directory;
  }

  /** Builds an engine. */
  interface Builder {
    byte[] build();
  }

  /**
   * Returns the engine of a key, from its file or else built and kept.
   *
   * @throws RuntimeException what the builder throws
   */
  byte[] get(EngineKey key, Builder builder) {
    return read(key).orElseGet(() -> build(key, builder));
  }

  /** Builds an engine and keeps it, whatever is there. */
  byte[] build(EngineKey key, Builder builder) {
    byte[] engine = builder.build();
    try {
      write(key, engine);
    } catch (IOException e) {
      log.warn("{}: cannot keep the engine, so the next start builds it again: {}", directory, e);
    }
    return engine;
  }

  /**
   * Returns the engine of a key if there is one that can be trusted. What writers left there that
   * died is removed.
   */
  Optional<byte[]> read(EngineKey key) {
    int unused = ScratchFiles.sweep(directory, 0);
    Path file = directory.resolve(key.fileName());
    try {
      return Optional.of(verified(key, Files.readAllBytes(file)));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      log.warn("{}: not used, the engine is built again: {}", file, e.getMessage());
      return Optional.empty();
    }
  }

  private static byte[] verified(EngineKey key, byte[] bytes) throws IOException {
    if (bytes.length < HEADER_BYTES) {
      throw new EOFException("it ends within its header");
    }
    ByteBuffer file = ByteBuffer.wrap(bytes);
    byte[] digest = new byte[32];
    byte[] sum = new byte[32];
    long magic = file.getLong();
    file.get(digest).get(sum);
    long size = file.getLong();
    if (magic != MAGIC) {
      throw new IOException("it is no engine of this program");
    }
    if (!Arrays.equals(digest, key.digest())) {
      throw new IOException("it was made for something else");
    }
    if (size != bytes.length - HEADER_BYTES) {
      throw new EOFException(
          "expected an engine of %d bytes, found %d".formatted(size, bytes.length - HEADER_BYTES));
    }
    byte[] engine = Arrays.copyOfRange(bytes, HEADER_BYTES, bytes.length);
    if (!Arrays.equals(sum, EngineKey.sha256().digest(engine))) {
      throw new IOException("its checksum is wrong");
    }
    return engine;
  }

  /**
   * Makes the directory, but not the one that it is in: the files of a model that was unloaded
   * during the build may be gone, and must not come back.
   */
  static Path made(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      Files.createDirectory(directory);
    }
    return directory;
  }

  private void write(EngineKey key, byte[] engine) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
    header.putLong(MAGIC).put(key.digest());
    header.put(EngineKey.sha256().digest(engine)).putLong(engine.length);
    ScratchFiles.replace(
        made(directory).resolve(key.fileName()),
        file -> {
          OutputStream out = Channels.newOutputStream(file);
          out.write(header.array());
          out.write(engine);
        });
  }
}
