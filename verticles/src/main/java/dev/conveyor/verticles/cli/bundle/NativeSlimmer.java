package dev.conveyor.verticles.cli.bundle;

import dev.conveyor.verticles.cli.bundle.FatBinary.Blanked;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Enumeration;
import java.util.List;
import java.util.function.Predicate;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import java.util.zip.Deflater;

/**
 * Removes the device code of other architectures from libraries, also from those within jars.
 *
 * <p>Not thread-safe: owned by the command that makes a bundle.
 */
final class NativeSlimmer {

  private final int sm;
  private final Path scratch;
  private Blanked total = Blanked.NONE;

  /**
   * Creates a slimmer.
   *
   * @param sm compute capability to keep, 10 * major + minor; 0 keeps all
   * @param scratch directory for libraries out of jars
   */
  NativeSlimmer(int sm, Path scratch) {
    this.sm = sm;
    this.scratch = scratch;
  }

  /** Returns what is gone so far. */
  Blanked total() {
    return total;
  }

  /** Slims a library in place. Files of other kinds stay as they are. */
  void slim(Path library) throws IOException {
    long bytes = Files.size(library);
    if (sm == 0 || bytes == 0 || bytes > Integer.MAX_VALUE) {
      return;
    }
    try (FileChannel channel =
        FileChannel.open(library, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MappedByteBuffer file = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes);
      for (String section : FatBinary.SECTIONS) {
        for (var found : ElfSections.named(file, section)) {
          total = total.plus(FatBinary.blank(found, sm));
        }
      }
    } catch (BundleException e) {
      throw new BundleException(library.getFileName() + ": " + e.getMessage(), e);
    }
  }

  /** Copies a jar, without the entries that {@code leaveOut} names, its libraries slimmed. */
  void copyJar(Path from, Path to, Predicate<String> leaveOut) throws IOException {
    try (JarFile jar = new JarFile(from.toFile())) {
      if (jar.stream().noneMatch(e -> isLibrary(e.getName()))) {
        Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
        return;
      }
      try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(to))) {
        out.setLevel(Deflater.NO_COMPRESSION); // The archive around it is compressed.
        for (Enumeration<JarEntry> all = jar.entries(); all.hasMoreElements(); ) {
          JarEntry entry = all.nextElement();
          if (!leaveOut.test(entry.getName())) {
            copy(jar, entry, out);
          }
        }
      }
    }
  }

  /** Packs a directory of classes. */
  static void packJar(Path directory, Path to) throws IOException {
    List<Path> files;
    try (Stream<Path> walk = Files.walk(directory)) {
      files = walk.filter(Files::isRegularFile).sorted().toList();
    }
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(to))) {
      for (Path file : files) {
        out.putNextEntry(new JarEntry(directory.relativize(file).toString()));
        Files.copy(file, out);
        out.closeEntry();
      }
    }
  }

  private void copy(JarFile jar, JarEntry entry, JarOutputStream out) throws IOException {
    JarEntry copy = new JarEntry(entry.getName());
    copy.setTime(entry.getTime());
    out.putNextEntry(copy);
    if (isLibrary(entry.getName())) {
      copySlimmed(jar, entry, out);
    } else {
      try (InputStream in = jar.getInputStream(entry)) {
        in.transferTo(out);
      }
    }
    out.closeEntry();
  }

  private void copySlimmed(JarFile jar, JarEntry entry, OutputStream out) throws IOException {
    Path library = scratch.resolve(Path.of(entry.getName()).getFileName());
    try (InputStream in = jar.getInputStream(entry)) {
      Files.copy(in, library, StandardCopyOption.REPLACE_EXISTING);
    }
    try {
      slim(library);
      Files.copy(library, out);
    } finally {
      Files.delete(library);
    }
  }

  private static boolean isLibrary(String name) {
    return NativeLibraries.isLibrary(name.substring(name.lastIndexOf('/') + 1));
  }
}
