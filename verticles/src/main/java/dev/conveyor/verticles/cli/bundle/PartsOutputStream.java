package dev.conveyor.verticles.cli.bundle;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes a stream into files of at most so many bytes, {@code NAME.000}, {@code NAME.001}, and so
 * on, and knows the SHA-256 of each. Not thread-safe.
 */
final class PartsOutputStream extends OutputStream {

  private final Path directory;
  private final String name;
  private final long partBytes;
  private final Map<String, String> sums = new LinkedHashMap<>();
  private final MessageDigest digest;
  private @Nullable OutputStream part;
  private long written;

  PartsOutputStream(Path directory, String name, long partBytes) {
    if (partBytes < 1) {
      throw new IllegalArgumentException("parts of " + partBytes + " bytes");
    }
    this.directory = directory;
    this.name = name;
    this.partBytes = partBytes;
    try {
      this.digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Returns the sum of each part, by its file name, in order; complete once this is closed. */
  Map<String, String> sums() {
    return sums;
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    int at = offset;
    int left = length;
    while (left > 0) {
      OutputStream out = part();
      int size = (int) Math.min(left, partBytes - written);
      out.write(bytes, at, size);
      digest.update(bytes, at, size);
      written += size;
      at += size;
      left -= size;
      if (written == partBytes) {
        finish();
      }
    }
  }

  private OutputStream part() throws IOException {
    OutputStream open = part;
    if (open == null) {
      open = Files.newOutputStream(directory.resolve(partName()));
      part = open;
    }
    return open;
  }

  private String partName() {
    return "%s.%03d".formatted(name, sums.size());
  }

  private void finish() throws IOException {
    OutputStream open = part;
    if (open != null) {
      open.close();
      sums.put(partName(), HexFormat.of().formatHex(digest.digest()));
      part = null;
      written = 0;
    }
  }

  @Override
  public void close() throws IOException {
    finish();
  }
}
