package dev.conveyor.models.optimize.data;

import dev.conveyor.models.optimize.OptimizeException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Tells directories of data apart by what is in them, wherever they lie and whenever they were
 * copied there. Stateless.
 */
public final class DataFingerprint {

  private DataFingerprint() {}

  /**
   * Returns the SHA-256, hexadecimal, of the names and contents of all files that {@link
   * DataSets#open} would look at. Reads them all.
   *
   * @throws OptimizeException if there is no such directory or it cannot be read
   */
  public static String of(Path directory) {
    DataSets.requireDirectory(directory);
    MessageDigest all = sha256();
    for (Path file : DataSets.files(directory)) {
      String name = directory.relativize(file).toString();
      all.update((name.length() + ":" + name).getBytes(StandardCharsets.UTF_8));
      all.update(contents(file));
    }
    return HexFormat.of().formatHex(all.digest());
  }

  private static byte[] contents(Path file) {
    MessageDigest one = sha256();
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), one)) {
      in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      throw new OptimizeException(file + ": cannot be read: " + e, e);
    }
    return one.digest();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
