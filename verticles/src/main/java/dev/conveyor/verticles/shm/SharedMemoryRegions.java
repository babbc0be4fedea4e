package dev.conveyor.verticles.shm;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.process.RuntimeDirectory;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The regions of shared memory that clients have registered, by name, in one server for all its
 * protocols.
 *
 * <p>Thread-safe. {@link #register} opens a file and belongs on no event loop; the rest takes a
 * lock for a look into a map. A region that is unregistered is gone at once, and its file is closed
 * when the last request that uses it has ended.
 *
 * <p>Whoever can reach a port can name any object in shared memory that this process may read and
 * write, and get at its content through a model. So it is off unless the operator says how many
 * regions there may be; a key is the bare name of an object, never a path or a link; and what this
 * program keeps in shared memory itself cannot be named.
 *
 * <p>Words and checks are those of Triton's {@code shared_memory_manager.cc}.
 */
public final class SharedMemoryRegions implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(SharedMemoryRegions.class);
  private static final int MAX_KEY_LENGTH = 255;

  /**
   * One registered region.
   *
   * @param key of the object in shared memory, as the client wrote it
   * @param offset of the region in the object, in bytes
   * @param byteSize of the region
   */
  public record Status(String name, String key, long offset, long byteSize) {}

  private final Path directory;
  private final int maxRegions;

  @GuardedBy("this")
  private final TreeMap<String, Region> regions = new TreeMap<>();

  /**
   * Creates the registry.
   *
   * @param directory where keys are names of files; that of POSIX shared memory is {@link #system}
   * @param maxRegions registered at one time; 0 switches the extension off
   */
  public SharedMemoryRegions(Path directory, int maxRegions) {
    this.directory = directory;
    this.maxRegions = maxRegions;
  }

  /** Returns a registry of the machine's shared memory. */
  public static SharedMemoryRegions system(int maxRegions) {
    return new SharedMemoryRegions(Path.of("/dev/shm"), maxRegions);
  }

  public boolean isEnabled() {
    return maxRegions > 0;
  }

  /**
   * Registers a region. Blocks to open a file.
   *
   * @throws InferenceException UNSUPPORTED if the extension is off; ALREADY_EXISTS; QUEUE_FULL if
   *     there are as many as there may be; INVALID_REQUEST if there is no such object or no such
   *     part of it
   */
  public void register(Status wanted) {
    requireEnabled();
    Path path = path(wanted);
    requireRoom(wanted.name());
    FileChannel file = open(path, wanted);
    boolean taken = false;
    try {
      requireInside(wanted, file);
      synchronized (this) {
        requireRoom(wanted.name());
        regions.put(wanted.name(), new Region(wanted, file));
        taken = true;
      }
    } catch (IOException e) {
      throw InferenceException.invalid("Invalid shared memory region: '" + wanted.key() + "'");
    } finally {
      if (!taken) {
        close(file);
      }
    }
  }

  /**
   * Forgets a region, or all of them if {@code name} is empty. One that is unknown is forgotten.
   */
  public void unregister(String name) {
    List<Region> gone = new ArrayList<>();
    synchronized (this) {
      if (name.isEmpty()) {
        gone.addAll(regions.values());
        regions.clear();
      } else {
        Region region = regions.remove(name);
        if (region != null) {
          gone.add(region);
        }
      }
    }
    for (Region region : gone) {
      try {
        region.release();
      } catch (IOException e) {
        LOG.warn(
            "shared memory region '{}' was not closed: {}", region.status().name(), e.toString());
      }
    }
  }

  /**
   * Returns a region, or all of them if {@code name} is empty, ordered by name.
   *
   * @throws InferenceException NOT_FOUND
   */
  public synchronized List<Status> status(String name) {
    if (name.isEmpty()) {
      return regions.values().stream().map(Region::status).toList();
    }
    Region region = regions.get(name);
    if (region == null) {
      throw new InferenceException(
          ErrorCode.NOT_FOUND, "Unable to find system shared memory region: '" + name + "'");
    }
    return List.of(region.status());
  }

  /**
   * Returns the tensors of one request.
   *
   * @param memory of requests, where inputs are copied to
   * @param model whose requests hold that memory
   * @param maxBytes of all inputs together
   */
  public SharedTensors tensors(BufferPool memory, String model, int maxBytes) {
    return new SharedTensors(this, memory, model, maxBytes);
  }

  /**
   * Returns a part of a region, which the caller closes.
   *
   * @throws InferenceException UNSUPPORTED, NOT_FOUND, or INVALID_REQUEST if it is not inside
   */
  synchronized RegionSlice slice(RegionRef ref) {
    requireEnabled();
    Region region = regions.get(ref.region());
    if (region == null) {
      throw new InferenceException(
          ErrorCode.NOT_FOUND, "Unable to find shared memory region: '" + ref.region() + "'");
    }
    long byteSize = region.status().byteSize();
    if (ref.offset() >= byteSize) {
      throw InferenceException.invalid(
          "Invalid offset for shared memory region: '" + ref.region() + "'");
    }
    if (ref.byteSize() > byteSize - ref.offset()) {
      throw InferenceException.invalid(
          "Invalid offset + byte size for shared memory region: '" + ref.region() + "'");
    }
    if (!region.tryHold()) {
      throw new IllegalStateException("a registered region is held by the registry");
    }
    return new RegionSlice(region, ref);
  }

  /** Forgets every region. */
  @Override
  public void close() {
    unregister("");
  }

  private void requireEnabled() {
    if (!isEnabled()) {
      throw new InferenceException(
          ErrorCode.UNSUPPORTED,
          "shared memory is not enabled: limits.max_shared_memory_regions is 0");
    }
  }

  private synchronized void requireRoom(String name) {
    if (regions.containsKey(name)) {
      throw new InferenceException(
          ErrorCode.ALREADY_EXISTS, "shared memory region '" + name + "' already in manager");
    }
    if (regions.size() >= maxRegions) {
      throw new InferenceException(
          ErrorCode.QUEUE_FULL,
          "shared memory region '%s': limits.max_shared_memory_regions=%d are registered"
              .formatted(name, maxRegions));
    }
  }

  private Path path(Status wanted) {
    String key = wanted.key();
    String file = key.startsWith("/") ? key.substring(1) : key;
    if (file.isEmpty()
        || file.length() > MAX_KEY_LENGTH
        || file.indexOf('/') >= 0
        || file.equals(".")
        || file.equals("..")) {
      throw unopened(wanted);
    }
    if (file.startsWith(RuntimeDirectory.PREFIX)) {
      throw InferenceException.invalid(
          "cannot register shared memory region '%s' with key '%s' as the key contains the reserved prefix '%s'"
              .formatted(wanted.name(), key, RuntimeDirectory.PREFIX));
    }
    try {
      return directory.resolve(file);
    } catch (InvalidPathException e) {
      throw unopened(wanted);
    }
  }

  private static FileChannel open(Path path, Status wanted) {
    try {
      if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
        return FileChannel.open(
            path, StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
      }
    } catch (IOException e) {
      // Falls through: why it cannot be opened is nothing that a client should learn.
      LOG.debug("{}: {}", path, e.toString());
    }
    throw unopened(wanted);
  }

  private static void requireInside(Status wanted, FileChannel file) throws IOException {
    long size = file.size();
    // Subtracted, not added: the sum may be more than fits in a long.
    if (wanted.offset() < 0
        || wanted.byteSize() < 1
        || wanted.offset() > size
        || wanted.byteSize() > size - wanted.offset()) {
      throw InferenceException.invalid(
          "failed to register shared memory region '" + wanted.name() + "': invalid args");
    }
  }

  private static void close(FileChannel file) {
    try {
      file.close();
    } catch (IOException e) {
      LOG.warn("a shared memory object was not closed: {}", e.toString());
    }
  }

  private static InferenceException unopened(Status wanted) {
    return InferenceException.invalid(
        "Unable to open shared memory region: '" + wanted.key() + "'");
  }
}
