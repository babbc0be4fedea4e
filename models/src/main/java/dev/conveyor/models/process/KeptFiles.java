package dev.conveyor.models.process;

import dev.conveyor.memory.HeldFile;
import dev.conveyor.models.backend.ModelLoadException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files that a model was loaded from, kept for the workers that are started later, whatever
 * becomes of their names in the repository. Nothing is copied.
 *
 * <p>A model in one file is held open: that costs a descriptor, and works where the repository can
 * only be read. The model file of one that has weights in others must lie beside them, in a real
 * directory (ONNX Runtime follows no link out of it), so those get hard links, which only a
 * directory on the same file system can have. A file that is written in place changes with its
 * links: then there is nothing left of what was loaded, and that is said.
 *
 * <p>Thread-safe; closed after the last load from it.
 */
final class KeptFiles implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(KeptFiles.class);

  /** Of a model's directory: where engines are kept that were built from it. */
  private static final String ENGINES = "engines";

  private record Kept(Path directory, List<Path> files, @Nullable HeldFile held) {

    Kept {
      files = List.copyOf(files);
    }
  }

  private final Path model;
  private final FileState state;
  private final @Nullable Kept kept;

  private KeptFiles(Path model, FileState state, @Nullable Kept kept) {
    this.model = model;
    this.state = state;
    this.kept = kept;
  }

  /**
   * Keeps the files of a model that was loaded. Blocking. What cannot be kept is not: then the
   * model needs the files that it was loaded from.
   *
   * @param state of its files before the load: others are not kept
   */
  static KeptFiles of(Path model, FileState state, Workers workers) {
    Kept kept = null;
    try {
      kept = state.files().size() == 1 ? hold(model, workers) : link(model, state, workers);
      if (state.isSameAt(kept.files())) {
        return new KeptFiles(model, state, kept);
      }
      LOG.warn("{}: the file changed while the model was loaded", model);
    } catch (IOException | UnsupportedOperationException e) {
      LOG.info("{}: not kept, so its workers need the file where it is: {}", model, e.toString());
    }
    discard(kept);
    return new KeptFiles(model, state, null);
  }

  private static Kept hold(Path model, Workers workers) throws IOException {
    Path directory = Files.createDirectory(workers.directory().newFile("model"));
    Path name = directory.resolve(model.getFileName());
    HeldFile held = null;
    try {
      held = HeldFile.open(model);
      Files.createSymbolicLink(name, held.path());
      return new Kept(directory, List.of(name), held);
    } catch (IOException | RuntimeException e) {
      discard(new Kept(directory, List.of(), held));
      throw e;
    }
  }

  private static Kept link(Path model, FileState state, Workers workers) throws IOException {
    Path from = model.toAbsolutePath().normalize().resolveSibling("");
    Path directory = Files.createDirectory(workers.directoryOnDisk().newFile("model"));
    List<Path> links = new ArrayList<>();
    Kept kept = new Kept(directory, List.of(), null);
    try {
      for (Path file : state.files()) {
        Path link =
            directory.resolve(from.relativize(file.toAbsolutePath().normalize())).normalize();
        if (!link.startsWith(directory)) {
          throw new IOException(file + " is not in the model's directory");
        }
        Files.createDirectories(link.getParent());
        links.add(Files.createLink(link, file.toRealPath()));
      }
      return new Kept(directory, links, null);
    } catch (IOException | UnsupportedOperationException e) {
      discard(kept);
      throw e;
    }
  }

  /**
   * Loads the model once more: a second time if its name becomes that of another file meanwhile.
   *
   * @param load from the file that it is given
   * @throws ModelLoadException if nothing is left of what was loaded first, or it changed meanwhile
   */
  LoadedWorker load(Function<Path, LoadedWorker> load) {
    Path file = toLoad();
    try {
      return loadSame(file, load);
    } catch (ModelLoadException e) {
      Path now = toLoad();
      if (now.equals(file)) {
        throw e;
      }
      return loadSame(now, load);
    }
  }

  private LoadedWorker loadSame(Path file, Function<Path, LoadedWorker> load) {
    LoadedWorker loaded = load.apply(file);
    Kept used = file.equals(model) ? null : kept;
    if (used == null ? state.isSame() : state.isSameAt(used.files())) {
      return loaded;
    }
    loaded.close();
    throw new ModelLoadException(model + ": the file changed while it was loaded; load it again");
  }

  /** Returns the model file to load now; see {@link #load}. */
  Path toLoad() {
    if (kept == null || state.isSame() || !state.isSameAt(kept.files())) {
      state.requireSame();
      return model;
    }
    LOG.info("{}: changed since the model was loaded; what was loaded is used", model);
    linkDirectories(model.toAbsolutePath().resolveSibling(""), kept.directory());
    return kept.files().get(0);
  }

  /**
   * What else is there, such as engines that were built from the model, is used where it is. Where
   * the engines were that are gone none are written: a link to nothing keeps them out of memory.
   */
  private static synchronized void linkDirectories(Path from, Path to) {
    try {
      linkDirectory(from.resolve(ENGINES), to);
      try (DirectoryStream<Path> found = Files.newDirectoryStream(from, Files::isDirectory)) {
        for (Path directory : found) {
          linkDirectory(directory, to);
        }
      }
    } catch (IOException | DirectoryIteratorException | UnsupportedOperationException e) {
      LOG.debug("{}: not all of it is used: {}", from, e.toString());
    }
  }

  private static void linkDirectory(Path directory, Path to) throws IOException {
    Path link = to.resolve(directory.getFileName());
    if (Files.notExists(link, LinkOption.NOFOLLOW_LINKS)) {
      Files.createSymbolicLink(link, directory);
    }
  }

  @Override
  public void close() {
    discard(kept);
  }

  private static void discard(@Nullable Kept kept) {
    if (kept != null) {
      RuntimeDirectory.discard(kept.directory());
      if (kept.held() != null) {
        kept.held().close();
      }
    }
  }
}
