package dev.conveyor.verticles.supervisor;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.process.RuntimeDirectory;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.verticles.ModelOverride;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Models whose files came with a load request. Each has a temporary directory, a repository of one
 * model, which stays as long as the model does: a model that was evicted, or a process that was
 * lost, comes back from it. The server's own repository is never written to.
 *
 * <p>The directories are in one that is locked as long as the server lives, so that the next one
 * can remove what a server leaves that crashes.
 *
 * <p>Thread-safe. At most one change per model at a time: the caller sees to that.
 */
final class Overrides implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Overrides.class);

  private final Path parent;
  private final int removedLeftovers;
  private final Map<String, ModelRepository> used = new ConcurrentHashMap<>();

  @GuardedBy("this")
  private @Nullable RuntimeDirectory directory;

  /** Creates it in the directory for temporary files, after removing leftovers. */
  Overrides() {
    this(Path.of(System.getProperty("java.io.tmpdir")));
  }

  Overrides(Path parent) {
    this.parent = parent;
    this.removedLeftovers = RuntimeDirectory.clean(parent);
  }

  /** Returns how many directories of crashed servers were removed. */
  int removedLeftovers() {
    return removedLeftovers;
  }

  private synchronized Path newDirectory() throws IOException {
    if (directory == null) {
      directory = RuntimeDirectory.create(parent);
    }
    return Files.createDirectory(directory.newFile("model")).toRealPath();
  }

  /** Removes every directory; no load reads any of them any more. */
  @Override
  public synchronized void close() {
    if (directory != null) {
      directory.close();
      directory = null;
    }
  }

  /** Returns the repository to load a model from, or {@code otherwise}. */
  ModelRepository of(String name, ModelRepository otherwise) {
    return used.getOrDefault(name, otherwise);
  }

  /**
   * Writes the files of a request; blocks. Nothing uses them yet.
   *
   * @throws InferenceException INVALID_REQUEST if a name is not one of a file in the directory
   */
  ModelRepository write(String name, ModelOverride override) {
    if (!ModelRepository.isPlainName(name)) {
      throw InferenceException.invalid("no model can be named '" + name + "'");
    }
    ModelRepository written = null;
    try {
      written = new ModelRepository(newDirectory());
      Path directory = written.root().resolve(name);
      for (Map.Entry<String, byte[]> file : override.files().entrySet()) {
        Path path = inside(directory, file.getKey());
        Files.createDirectories(path.getParent());
        Files.write(path, file.getValue());
      }
      return written;
    } catch (IOException e) {
      discard(written);
      throw InferenceException.invalid("failed to load '%s': %s".formatted(name, e));
    } catch (RuntimeException e) {
      discard(written);
      throw e;
    }
  }

  private static Path inside(Path directory, String file) {
    try {
      Path path = Path.of(file);
      boolean detour = !path.equals(path.normalize()) || path.startsWith("..");
      if (!path.isAbsolute() && !detour && !file.isEmpty()) {
        return directory.resolve(path);
      }
    } catch (InvalidPathException e) {
      // Falls through to the same refusal.
    }
    throw InferenceException.invalid(
        "load parameter '%s%s' must name a file in the model's directory, such as '%s1/model.onnx'"
            .formatted(ModelOverride.FILE_PREFIX, file, ModelOverride.FILE_PREFIX));
  }

  /**
   * Has the next loads of a model read {@code now}, or the server's repository if that is null.
   *
   * @return what they read before
   */
  @Nullable ModelRepository use(String name, @Nullable ModelRepository now) {
    return now == null ? used.remove(name) : used.put(name, now);
  }

  /** Deletes files that no load reads any more; blocks. */
  void discard(@Nullable ModelRepository unused) {
    if (unused == null) {
      return;
    }
    try {
      Files.walkFileTree(unused.root(), new Deletion());
    } catch (IOException | UncheckedIOException e) {
      LOG.warn("{}: left behind: {}", unused.root(), e.toString());
    }
  }

  private static final class Deletion extends SimpleFileVisitor<Path> {

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      Files.delete(file);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure)
        throws IOException {
      if (failure != null) {
        throw failure;
      }
      Files.delete(directory);
      return FileVisitResult.CONTINUE;
    }
  }
}
