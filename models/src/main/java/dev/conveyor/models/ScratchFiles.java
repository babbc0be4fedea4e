package dev.conveyor.models;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;

/**
 * Files that are written under another name and then renamed, so that nobody reads half of one.
 * Thread-safe; blocks.
 *
 * <p>Who writes one has it locked until it is renamed, however the process ends, so what nobody has
 * locked is what a process left that died: whoever comes next removes it. That is true across
 * containers that share the directory, as far as its file system has locks; where it has none,
 * nothing is removed. Some file systems grant locks that other machines do not see: what another
 * one wrote, or this one before it was last started, is left for a day after its last change.
 */
public final class ScratchFiles {

  private static final String PREFIX = ".";
  private static final String SUFFIX = ".conveyor-part";

  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");

  private static final long OF_OTHERS_MS = Duration.ofDays(1).toMillis();

  /** In the names of what this machine writes until it is started again. */
  private static final String MACHINE = machine();

  /** Of this process: to try the lock of one of them would give it up. Guarded by itself. */
  private static final Set<Path> OWN = new HashSet<>();

  /** Writes the content of a file. */
  @FunctionalInterface
  public interface Content {
    void writeTo(FileChannel file) throws IOException;
  }

  private record Scratch(Path path, FileChannel file) {}

  private ScratchFiles() {}

  /**
   * Writes a file so that it is there whole or not at all; the one of this name is replaced.
   *
   * @throws IOException what the content throws, too; then nothing has changed
   */
  public static void replace(Path target, Content content) throws IOException {
    replace(target, OWNER_ONLY, content);
  }

  /**
   * As the other, for a file that others than its owner may use.
   *
   * @param permissions that it has once it is there
   */
  public static void replace(Path target, Set<PosixFilePermission> permissions, Content content)
      throws IOException {
    Path absolute = target.toAbsolutePath().normalize();
    Path directory = Objects.requireNonNull(absolute.getParent(), "a file has a directory");
    sweep(directory, 0);
    Scratch scratch = create(directory.toRealPath(), PREFIX + absolute.getFileName());
    try (FileChannel file = scratch.file()) {
      content.writeTo(file);
      if (!permissions.equals(OWNER_ONLY)) {
        Files.setPosixFilePermissions(scratch.path(), permissions);
      }
      Files.move(
          scratch.path(),
          absolute,
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(scratch.path());
      synchronized (OWN) {
        OWN.remove(scratch.path());
      }
    }
  }

  private static Scratch create(Path directory, String prefix) throws IOException {
    synchronized (OWN) {
      while (true) {
        Path path = directory.resolve(prefix + MACHINE + UUID.randomUUID() + SUFFIX);
        FileChannel file =
            FileChannel.open(
                path,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        // Until it is locked it is anybody's to remove, who has it locked then.
        if (lock(file) && Files.exists(path)) {
          OWN.add(path);
          return new Scratch(path, file);
        }
        file.close();
      }
    }
  }

  /** Where there are no locks, nobody has it locked. */
  private static boolean lock(FileChannel file) {
    try {
      return file.tryLock() != null;
    } catch (IOException noLocks) {
      return true;
    }
  }

  /**
   * Removes what writers left that died.
   *
   * @param levels of directories below this one in which that is done as well
   * @return how many files
   */
  public static int sweep(Path directory, int levels) {
    int removed = 0;
    try (DirectoryStream<Path> found = Files.newDirectoryStream(directory.toRealPath())) {
      for (Path path : found) {
        if (isScratch(path)) {
          removed += removeAbandoned(path) ? 1 : 0;
        } else if (levels > 0 && Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
          removed += sweep(path, levels - 1);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      return removed; // What cannot be read is left to whoever can.
    }
    return removed;
  }

  /**
   * No link, which may lead to a file that is locked here, and nothing that blocks who opens it.
   */
  private static boolean isScratch(Path path) {
    String name = path.getFileName().toString();
    return name.startsWith(PREFIX)
        && name.endsWith(SUFFIX)
        && Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS);
  }

  private static boolean removeAbandoned(Path path) {
    synchronized (OWN) {
      if (OWN.contains(path)) {
        return false;
      }
      try (FileChannel file =
              FileChannel.open(path, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
          FileLock lock = file.tryLock()) {
        return lock != null && isLockSeen(path) && Files.deleteIfExists(path);
      } catch (IOException | OverlappingFileLockException e) {
        return false;
      }
    }
  }

  /** Returns whether a lock of its writer would be seen, or it would have gone on writing. */
  private static boolean isLockSeen(Path path) throws IOException {
    return path.getFileName().toString().contains(MACHINE)
        || FreshFile.beside(path).lastModifiedTime().toMillis()
                - Files.getLastModifiedTime(path).toMillis()
            > OF_OTHERS_MS;
  }

  /** Containers of one machine have the same; without it, whatever others left is another's. */
  private static String machine() {
    String boot;
    try {
      boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")); // random(4)
    } catch (IOException e) {
      boot = UUID.randomUUID().toString();
    }
    return "-" + boot.strip().replace("-", "").substring(0, 12) + "-";
  }
}
