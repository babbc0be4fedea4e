package dev.conveyor.models.process;

import dev.conveyor.models.FreshFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directory of one server's sockets and shared memory, in memory itself where the system has
 * {@code /dev/shm}. Thread-safe.
 *
 * <p>A server holds a lock on a file in it as long as it lives, however it ends; so a directory
 * without a locked file is what a crashed server left, and whoever comes next removes it. That is
 * true across containers that share the file system, where process numbers mean nothing. One in
 * which no file was ever locked, a minute after it was made, is what a server left that crashed
 * while it made it, unless there is more in it than such a server puts there.
 */
public final class RuntimeDirectory implements AutoCloseable {

  /** How the names of these directories begin. */
  public static final String PREFIX = "conveyor-";

  private static final Logger LOG = LoggerFactory.getLogger(RuntimeDirectory.class);
  private static final String LOCK = "lock";
  private static final String UNLOCKED = LOCK + ".new";

  /** To make one and to lock a file in it takes no time. */
  private static final long UNLOCKED_MS = 60_000;

  private static final Pattern NAME = Pattern.compile(PREFIX + "(\\d{1,18})-.*");
  private static final Pattern WORKER = Pattern.compile("worker-(\\d{1,18})-(\\d{1,18})");

  /** Of this process: to try the lock of one of them would give it up. */
  private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

  private final Path path;
  private final FileChannel lockFile;
  private final AtomicLong names = new AtomicLong();

  private RuntimeDirectory(Path path, FileChannel lockFile) {
    this.path = path;
    this.lockFile = lockFile;
  }

  /** Returns where directories are made: shared memory, else the directory for temporary files. */
  static Path usualParent() {
    Path shared = Path.of("/dev/shm");
    return Files.isWritable(shared) ? shared : Path.of(System.getProperty("java.io.tmpdir"));
  }

  /** Removes what crashed servers left in {@code parent} and makes a directory there. */
  public static RuntimeDirectory create(Path parent) throws IOException {
    int removed = clean(parent);
    if (removed > 0) {
      LOG.info("{}: removed what {} crashed servers left", parent, removed);
    }
    Path path =
        Files.createTempDirectory(
            parent,
            PREFIX + ProcessHandle.current().pid() + "-",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    OWN.add(path);
    // Under its name only when it is locked: until then the directory is nobody's to remove.
    Path unlocked = path.resolve(UNLOCKED);
    FileChannel lockFile =
        FileChannel.open(unlocked, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    FileLock lock = lockFile.tryLock();
    if (lock == null) {
      throw new IOException(path + ": cannot be locked");
    }
    Files.move(unlocked, path.resolve(LOCK));
    return new RuntimeDirectory(path, lockFile);
  }

  public Path path() {
    return path;
  }

  /** Returns the path of a file that does not exist yet. */
  public Path newFile(String kind) {
    return path.resolve(kind + names.incrementAndGet());
  }

  /** Notes a worker, so that it does not outlive even a server that was killed while it hung. */
  Path noteWorker(long pid) throws IOException {
    return Files.createFile(
        path.resolve("worker-%d-%d".formatted(pid, ProcessFiles.startTicks(pid))));
  }

  /** Removes a directory in it, with what it holds. */
  static void discard(Path directory) {
    try {
      delete(directory);
    } catch (IOException | UncheckedIOException e) {
      LOG.debug("{}: goes with the directory that it is in: {}", directory, e.toString());
    }
  }

  @Override
  public void close() {
    try {
      delete(path);
      lockFile.close();
      OWN.remove(path);
    } catch (IOException | UncheckedIOException e) {
      LOG.warn("{}: not removed: {}", path, e.toString());
    }
  }

  /** Returns how many directories of crashed servers were removed. */
  public static int clean(Path parent) {
    int removed = 0;
    try (DirectoryStream<Path> found = Files.newDirectoryStream(parent, PREFIX + "*")) {
      for (Path directory : found) {
        try {
          removed += isAbandoned(directory) && remove(directory) ? 1 : 0;
        } catch (IOException | UncheckedIOException e) {
          LOG.debug("{}: left where it is: {}", directory, e.toString());
        }
      }
    } catch (IOException e) {
      LOG.warn("{}: cannot be searched for leftovers: {}", parent, e.toString());
    }
    return removed;
  }

  private static boolean isAbandoned(Path directory) throws IOException {
    Path lock = directory.resolve(LOCK);
    if (OWN.contains(directory)) {
      return false;
    }
    PosixFileAttributes found =
        Files.readAttributes(directory, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    PosixFileAttributes ours = FreshFile.beside(directory);
    if (!found.isDirectory() || !found.owner().equals(ours.owner())) {
      return false; // Anybody may make one that names processes of ours, for us to kill them.
    } else if (Files.notExists(lock)) {
      return wasNeverLocked(directory)
          && ours.lastModifiedTime().toMillis() - found.lastModifiedTime().toMillis() > UNLOCKED_MS;
    } else if (!Files.isWritable(lock)) {
      return false;
    }
    try (FileChannel file = FileChannel.open(lock, StandardOpenOption.WRITE);
        FileLock taken = file.tryLock()) {
      return taken != null;
    }
  }

  private static boolean wasNeverLocked(Path directory) throws IOException {
    Matcher name = NAME.matcher(directory.getFileName().toString());
    if (!name.matches() || ProcessHandle.of(Long.parseLong(name.group(1))).isPresent()) {
      return false;
    }
    try (Stream<Path> files = Files.list(directory)) {
      // Others may like the name.
      return files.allMatch(file -> file.getFileName().toString().equals(UNLOCKED));
    }
  }

  private static boolean remove(Path directory) throws IOException {
    try (DirectoryStream<Path> workers = Files.newDirectoryStream(directory, "worker-*")) {
      for (Path worker : workers) {
        Matcher name = WORKER.matcher(worker.getFileName().toString());
        if (name.matches()) {
          kill(Long.parseLong(name.group(1)), Long.parseLong(name.group(2)));
        }
      }
    }
    delete(directory);
    return true;
  }

  private static void kill(long pid, long startTicks) {
    if (startTicks != 0 && ProcessFiles.startTicks(pid) == startTicks) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
