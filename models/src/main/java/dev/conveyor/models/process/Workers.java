package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.process.worker.WorkerMain;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What a server has one of for all its workers: a directory for sockets and shared memory, one on
 * the disk for links to their models' files, and the watch over them. Thread-safe.
 *
 * <p>Costs nothing until the first worker is started, but for the removal of what servers that
 * crashed have left.
 */
public final class Workers implements AutoCloseable {

  private final Path parent;
  private final Path parentOnDisk;
  private final String mainClass;
  private final long loadLimitMs;
  private final int removedLeftovers;

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
   */
  public Workers(Duration loadLimit) {
    this(
        RuntimeDirectory.usualParent(),
        Path.of(System.getProperty("java.io.tmpdir")),
        WorkerMain.class.getName(),
        loadLimit);
  }

  /** Creates it in one directory; see the other. */
  Workers(Path parent, String mainClass, Duration loadLimit) {
    this(parent, parent, mainClass, loadLimit);
  }

  /**
   * Creates it in given directories.
   *
   * @param parent where the directory of this server will be, and those of crashed ones are
   * @param parentOnDisk the same for the one on the disk
   * @param mainClass of the workers
   */
  Workers(Path parent, Path parentOnDisk, String mainClass, Duration loadLimit) {
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
   * @param backend with a public constructor without parameters
   * @param owner whose worker it is, for those who look at the list of processes
   * @param lanes batches that it runs at once
   */
  WorkerProcess start(
      Class<? extends Backend> backend, ProcessLimits limits, String owner, int lanes)
      throws IOException, WorkerLostException {
    WorkerProcess worker =
        WorkerProcess.start(directory(), mainClass, backend, limits, owner, lanes);
    monitor().watch(worker, limits);
    worker.awaitHello(lanes);
    return worker;
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

  /** Ends the watch and removes the directories; the workers are closed by who started them. */
  @Override
  public synchronized void close() {
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
