package dev.conveyor.verticles.cli.bundle;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;

/**
 * Packs a directory into an archive in parts, with their checksums and the script that unpacks
 * them. Packing needs {@code tar} and {@code gzip}, and so does unpacking, with {@code sha256sum}.
 * Stateless.
 */
final class BundleArchive {

  private static final String SUMS = "SHA256SUMS";
  private static final String UNPACK = "unpack.sh";

  private BundleArchive() {}

  /**
   * Packs.
   *
   * @param root directory to pack, under its own name
   * @param target directory that gets the files; what was there under the same names is gone
   * @return the SHA-256 of each part, by its file name, in order
   */
  static Map<String, String> pack(Path root, Path target, long partBytes) throws IOException {
    Files.createDirectories(target);
    String name = String.valueOf(root.getFileName());
    PartsOutputStream parts = new PartsOutputStream(target, name + ".tar.gz", partBytes);
    Process tar =
        new ProcessBuilder(
                "tar",
                "-C",
                String.valueOf(root.getParent()),
                "--owner=0",
                "--group=0",
                "-czf",
                "-",
                name)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (parts;
        InputStream packed = tar.getInputStream()) {
      packed.transferTo(parts);
    }
    require(tar);
    StringBuilder sums = new StringBuilder();
    parts.sums().forEach((part, sum) -> sums.append(sum).append("  ").append(part).append('\n'));
    Files.writeString(target.resolve(SUMS), sums);
    Path script = target.resolve(UNPACK);
    Files.writeString(script, script(name));
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    return parts.sums();
  }

  private static void require(Process tar) {
    try {
      int status = tar.waitFor();
      if (status != 0) {
        throw new BundleException("tar ended with " + status);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      tar.destroyForcibly();
      throw new BundleException("interrupted while packing", e);
    }
  }

  private static String script(String name) {
    try (InputStream in = BundleArchive.class.getResourceAsStream(UNPACK)) {
      if (in == null) {
        throw new IllegalStateException("no resource " + UNPACK);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).replace("@NAME@", name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
