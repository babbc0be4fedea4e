package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.process.worker.WorkerMain;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What a server has one of for all its workers: a directory for sockets and shared memory, one on
 * the disk for links to their models' files, and the watch over them. Thread-safe.
 *
 * <p>Costs nothing until the first worker is started, but for the removal of what servers that
 * crashed have left.
 */
public final class Workers implements AutoCloseable {

  /** In the place of the owner. */
  private static final String SPARE = "spare";

  /** It runs on idle cores only: where there are none, it shows no sign of life. */
  private static final long SPARE_SILENCE_MS = 60_000;

  private final Path parent;
  private final Path parentOnDisk;
  private final String mainClass;
  private final long loadLimitMs;
  private final int removedLeftovers;
  private final SpareWorkers spares;

  @GuardedBy("this")
  private @Nullable RuntimeDirectory directory;

  @GuardedBy("this")
  private @Nullable RuntimeDirectory directoryOnDisk;

  @GuardedBy("this")
  private @Nullable WorkerMonitor monitor;

  @GuardedBy("this")
  private boolean closed;

  /**
   * Creates it in shared memory, and in the directory for temporary files, after removing
   * leftovers.
   *
   * @param loadLimit longest that a worker may take to load its model, and to prepare its executor
   * @param spares workers that wait for one to be lost
   */
  public Workers(Duration loadLimit, int spares) {
    this(
        RuntimeDirectory.usualParent(),
        Path.of(System.getProperty("java.io.tmpdir")),
        WorkerMain.class.getName(),
        loadLimit,
        spares);
  }

  /** Creates it in one directory; see the other. */
  Workers(Path parent, String mainClass, Duration loadLimit) {
    this(parent, parent, mainClass, loadLimit, 0);
  }

  /**
   * Creates it in given directories.
   *
   * @param parent where the directory of this server will be, and those of crashed ones are
   * @param parentOnDisk the same for the one on the disk
   * @param mainClass of the workers
   */
  Workers(Path parent, Path parentOnDisk, String mainClass, Duration loadLimit, int spares) {
    this.spares = new SpareWorkers(spares, this::startSpare);
    this.parent = parent;
    this.parentOnDisk = parentOnDisk;
    this.mainClass = mainClass;
    this.loadLimitMs = loadLimit.toMillis();
    this.removedLeftovers =
        RuntimeDirectory.clean(parent)
            + (parentOnDisk.equals(parent) ? 0 : RuntimeDirectory.clean(parentOnDisk));
  }

  /** Returns how many directories of crashed servers were removed. */
  public int removedLeftovers() {
    return removedLeftovers;
  }

  /**
   * Starts a worker and waits until it can be talked to.
   *
   * @param owner whose worker it is, for those who look at the list of processes
   */
  WorkerProcess start(WorkerSpec spec, String owner) throws IOException, WorkerLostException {
    WorkerProcess worker = WorkerProcess.start(directory(), mainClass, spec, owner);
    return watched(worker, spec.limits());
  }

  private WorkerProcess startSpare(WorkerSpec spec, SpareWorkers.Begun begun)
      throws IOException, WorkerLostException {
    WorkerProcess worker = WorkerProcess.start(directory(), mainClass, spec, SPARE);
    begun.accept(worker);
    return watched(worker, spec.limits().withHeartbeatTimeoutMs(SPARE_SILENCE_MS));
  }

  /** One that is not watched, or does not say hello, is nobody's but ours to close. */
  private WorkerProcess watched(WorkerProcess worker, ProcessLimits limits)
      throws WorkerLostException {
    try {
      monitor().watch(worker, limits);
      worker.awaitHello();
      return worker;
    } catch (WorkerLostException | RuntimeException | Error e) {
      worker.close();
      throw e;
    }
  }

  /** Returns a worker that has started and has no model, if there is one; it has none yet. */
  @Nullable WorkerProcess takeSpare(WorkerSpec spec) {
    WorkerProcess spare = spares.take(spec);
    if (spare != null) {
      monitor().watch(spare, spec.limits());
    }
    return spare;
  }

  /** A worker has a model, and serves until it is gone. */
  void serves(WorkerProcess worker) {
    ProcessFiles.keepFromOomKiller(worker.pid());
    spares.serves(worker);
  }

  /** Has {@code listener} told of every worker without a model that is lost, from any thread. */
  public void onSpareLost(Consumer<Loss> listener) {
    spares.onLost(listener);
  }

  /** Returns the workers that have no model yet. */
  public Spares spares() {
    return spares.list();
  }

  synchronized RuntimeDirectory directory() throws IOException {
    if (closed) {
      throw new IOException("the server is stopping");
    }
    if (directory == null) {
      directory = RuntimeDirectory.create(parent);
    }
    return directory;
  }

  /** Returns the one on the disk, made with the first call. */
  synchronized RuntimeDirectory directoryOnDisk() throws IOException {
    if (closed) {
      throw new IOException("the server is stopping");
    }
    if (directoryOnDisk == null) {
      directoryOnDisk = RuntimeDirectory.create(parentOnDisk);
    }
    return directoryOnDisk;
  }

  private synchronized WorkerMonitor monitor() {
    if (monitor == null) {
      monitor = new WorkerMonitor(loadLimitMs);
    }
    return monitor;
  }

  /**
   * Ends the spares and the watch, and removes the directories; other workers are closed by who
   * started them.
   */
  @Override
  public void close() {
    spares.close();
    closeRest();
  }

  private synchronized void closeRest() {
    closed = true;
    if (monitor != null) {
      monitor.close();
    }
    if (directory != null) {
      directory.close();
    }
    if (directoryOnDisk != null) {
      directoryOnDisk.close();
    }
  }
}
