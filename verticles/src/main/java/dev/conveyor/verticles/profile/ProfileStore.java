package dev.conveyor.verticles.profile;

import dev.conveyor.models.ScratchFiles;
import dev.conveyor.scheduler.profile.CostSample;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Profiles in files: next to the model, or in a cache directory if that cannot be written.
 * Thread-safe: no state; every method blocks.
 *
 * <p>A profile is a convenience. Whatever is wrong with a file, a profile is learned anew, and
 * whatever is wrong with a directory, it is not stored; nothing fails. A file is replaced in one
 * step, so that a reader finds the old one or the new one.
 */
public final class ProfileStore {

  private static final Logger LOG = LoggerFactory.getLogger(ProfileStore.class);
  private static final int FORMAT = 1;

  /** Of a size: with the threads that a batch has while nothing else wants the cores. */
  private static final String IDLE = "idle";

  private static final long MAX_BYTES = 4 << 20;
  private static final int MAX_ITEMS = 1 << 24;

  private final Path cache;

  /**
   * Creates a store.
   *
   * @param cache for models whose directory cannot be written; made when it is needed
   */
  public ProfileStore(Path cache) {
    this.cache = cache;
  }

  /** Returns the user's cache directory, as desktops define it. */
  public static Path userCache() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base =
        xdg == null || xdg.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(xdg);
    return base.resolve("conveyor").resolve("profiles");
  }

  /** Returns what was stored under the same conditions; empty if there is nothing of use. */
  public List<CostSample> read(ProfileKey key) {
    for (Path file : List.of(nextToModel(key), inCache(key))) {
      if (Files.isRegularFile(file)) {
        Optional<List<CostSample>> samples = read(file, key.conditions());
        if (samples.isPresent()) {
          return samples.get();
        }
      }
    }
    return List.of();
  }

  /** Stores samples; returns the file, empty if there is no place that can be written. */
  public Optional<Path> write(ProfileKey key, List<CostSample> samples) {
    byte[] text = encode(key.conditions(), samples).getBytes(StandardCharsets.UTF_8);
    for (Path file : List.of(nextToModel(key), inCache(key))) {
      try {
        if (!file.startsWith(key.directory())) {
          Files.createDirectories(file.getParent());
        }
        ScratchFiles.replace(file, out -> Channels.newOutputStream(out).write(text));
        return Optional.of(file);
      } catch (IOException | SecurityException e) {
        LOG.debug("{}: no profile is stored there: {}", file, e.toString());
      }
    }
    return Optional.empty();
  }

  private static Optional<List<CostSample>> read(Path file, Map<String, String> conditions) {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new IOException("larger than " + MAX_BYTES + " bytes");
      }
      JsonObject json = new JsonObject(Files.readString(file));
      if (json.getInteger("format", 0) != FORMAT) {
        LOG.info("{}: not used: format {}, not {}", file, json.getValue("format"), FORMAT);
        return Optional.empty();
      }
      for (Map.Entry<String, String> condition : conditions.entrySet()) {
        String found = json.getJsonObject("conditions").getString(condition.getKey());
        if (!condition.getValue().equals(found)) {
          LOG.info(
              "{}: not used: measured with {} {}, here it is {}",
              file,
              condition.getKey(),
              found,
              condition.getValue());
          return Optional.empty();
        }
      }
      return Optional.of(samples(json.getJsonArray("sizes")));
    } catch (IOException
        | DecodeException
        | ClassCastException
        | NullPointerException
        | IllegalArgumentException e) {
      LOG.warn("{}: not used, costs are learned anew: {}", file, e.toString());
      return Optional.empty();
    }
  }

  private static List<CostSample> samples(JsonArray sizes) {
    List<CostSample> samples = new ArrayList<>();
    for (int i = 0; i < sizes.size(); i++) {
      JsonObject size = sizes.getJsonObject(i);
      int items = size.getInteger("batch_size");
      if (items > MAX_ITEMS) {
        throw new IllegalArgumentException("a batch of " + items);
      }
      JsonArray ns = size.getJsonArray("ns");
      for (int j = 0; j < ns.size(); j++) {
        samples.add(new CostSample(items, ns.getLong(j), size.getBoolean(IDLE, false)));
      }
    }
    return samples;
  }

  private static String encode(Map<String, String> conditions, List<CostSample> samples) {
    JsonArray sizes = new JsonArray();
    int items = 0;
    boolean wide = false;
    JsonArray ns = new JsonArray();
    for (CostSample sample : samples) {
      if (sample.items() != items || sample.wide() != wide) {
        items = sample.items();
        wide = sample.wide();
        ns = new JsonArray();
        sizes.add(new JsonObject().put("batch_size", items).put(IDLE, wide).put("ns", ns));
      }
      ns.add(sample.busyNs());
    }
    JsonObject under = new JsonObject();
    conditions.forEach(under::put);
    return new JsonObject()
        .put("format", FORMAT)
        .put("conditions", under)
        .put("sizes", sizes)
        .encodePrettily();
  }

  private static Path nextToModel(ProfileKey key) {
    return key.directory().resolve("profile-" + plain(key.device()) + ".json");
  }

  private Path inCache(ProfileKey key) {
    CRC32C crc = new CRC32C();
    crc.update(key.directory().toString().getBytes(StandardCharsets.UTF_8));
    return cache.resolve("%08x-%s.json".formatted(crc.getValue(), plain(key.device())));
  }

  private static String plain(String device) {
    return device.replaceAll("[^A-Za-z0-9_.-]", "_");
  }
}
