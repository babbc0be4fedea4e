package dev.conveyor.models.config;

import java.nio.file.Path;
import java.time.Duration;

/**
 * Everything configured about the server.
 *
 * @param modelRepository absolute if it was read from a file, whose directory relative paths start
 *     at
 * @param tenants how clients that name themselves share the models
 * @param profiles how the costs of batches are learned before the first request
 * @param isolation what the server keeps for models in processes of their own
 * @param shutdownGrace longest wait for running requests when the server stops
 */
public record ServerConfig(
    Path modelRepository,
    Listener http,
    Listener grpc,
    Listener metrics,
    Limits limits,
    Devices devices,
    EventBus eventBus,
    Tenants tenants,
    Profiles profiles,
    Isolation isolation,
    Duration shutdownGrace,
    LogFormat logFormat) {

  public static final ServerConfig DEFAULT =
      new ServerConfig(
          Path.of("conf", "models"),
          new Listener("127.0.0.1", 8000),
          new Listener("127.0.0.1", 8001),
          new Listener("127.0.0.1", 8002),
          Limits.DEFAULT,
          Devices.DEFAULT,
          EventBus.DEFAULT,
          Tenants.DEFAULT,
          Profiles.DEFAULT,
          Isolation.DEFAULT,
          Duration.ofSeconds(10),
          LogFormat.TEXT);

  /**
   * Where one protocol is served.
   *
   * @param port 0 takes any free port
   */
  public record Listener(String host, int port) {
    public Listener {
      if (host.isBlank()) {
        throw new ConfigException("host", "a host name or address", "\"" + host + "\"");
      }
      if (port < 0 || port > 65535) {
        throw new ConfigException("port", "0 to 65535", port);
      }
    }
  }

  /**
   * What a client may use up.
   *
   * @param maxMessageBytes largest request, in any protocol
   * @param maxImagePixels largest image, read from its header before it is decoded
   * @param maxQueueSize requests held for one model that has no limit of its own
   * @param maxConnections open connections of one protocol
   * @param maxHeaderBytes all headers of one HTTP request
   * @param requestMemoryBytes memory of all requests under way
   * @param bodyTimeout longest time that a request may take to arrive
   * @param loadTimeout longest time that the load of a model, and the start of each of its
   *     instances, may take
   * @param maxSharedMemoryRegions that clients have registered at one time; 0 lets them register
   *     none
   */
  public record Limits(
      long maxMessageBytes,
      long maxImagePixels,
      int maxQueueSize,
      int maxConnections,
      int maxHeaderBytes,
      long requestMemoryBytes,
      Duration bodyTimeout,
      Duration loadTimeout,
      int maxSharedMemoryRegions) {

    /** Each keeps a file open. */
    private static final int MAX_REGIONS = 65_536;

    public static final Limits DEFAULT =
        new Limits(
            64L << 20,
            50_000_000,
            2048,
            4096,
            16384,
            1L << 30,
            Duration.ofSeconds(60),
            Duration.ofMinutes(5),
            0);

    public Limits {
      // Bodies and gRPC messages are counted in ints below the protocols.
      Range.require("max_message_bytes", 1, Integer.MAX_VALUE, maxMessageBytes);
      Range.require("max_image_pixels", 1, Long.MAX_VALUE, maxImagePixels);
      Range.require("max_queue_size", 1, Integer.MAX_VALUE, maxQueueSize);
      Range.require("max_connections", 1, Integer.MAX_VALUE, maxConnections);
      Range.require("max_header_bytes", 1024, Integer.MAX_VALUE, maxHeaderBytes);
      Range.require("request_memory_bytes", maxMessageBytes, Long.MAX_VALUE, requestMemoryBytes);
      Range.require("body_timeout_ms", 1, Integer.MAX_VALUE, bodyTimeout.toMillis());
      Range.require("load_timeout_ms", 1, Integer.MAX_VALUE, loadTimeout.toMillis());
      Range.require("max_shared_memory_regions", 0, MAX_REGIONS, maxSharedMemoryRegions);
    }
  }

  /** The devices that models may use. */
  public record Devices(Cpu cpu, Gpu gpu) {
    public static final Devices DEFAULT = new Devices(new Cpu(0, 0), Gpu.DEFAULT);
  }

  /**
   * The GPUs as devices.
   *
   * @param enabled false looks for none
   * @param minComputeCapability 10 * major + minor; GPUs below are not used
   * @param memoryBudgetBytes memory of all models on each; 0 derives it from the GPU's memory
   * @param batchesInFlight batches of all models that one GPU has at once, in copies or computing
   * @param spin whether the thread that waits for a batch asks without a pause, which takes a core
   * @param placement which of several hold a model that names none
   */
  public record Gpu(
      boolean enabled,
      int minComputeCapability,
      long memoryBudgetBytes,
      int batchesInFlight,
      boolean spin,
      Placement placement) {

    /** CUDA 13 runs on nothing older. */
    public static final Gpu DEFAULT = new Gpu(true, 75, 0, 6, false, Placement.FIXED);

    public Gpu {
      Range.require("min_compute_capability", 0, 990, minComputeCapability);
      Range.require("memory_budget_bytes", 0, Long.MAX_VALUE, memoryBudgetBytes);
      Range.require("batches_in_flight", 1, 1024, batchesInFlight);
    }
  }

  /** Which of several GPUs hold a model whose {@code instance_group} names none. */
  public enum Placement {
    /** All of them, always. */
    FIXED,
    /** One to begin with; more, and others, as its load and theirs asks for. */
    PLANNED
  }

  /**
   * The host's processor as a device.
   *
   * @param cores 0 takes every core there is
   * @param memoryBudgetBytes memory of all models; 0 derives it from the host's memory
   */
  public record Cpu(int cores, long memoryBudgetBytes) {
    public Cpu {
      Range.require("cores", 0, Integer.MAX_VALUE, cores);
      Range.require("memory_budget_bytes", 0, Long.MAX_VALUE, memoryBudgetBytes);
    }
  }

  /**
   * The event bus as a protocol.
   *
   * @param addressPrefix first part of every address
   */
  public record EventBus(boolean enabled, String addressPrefix) {
    public static final EventBus DEFAULT = new EventBus(true, "conveyor");

    public EventBus {
      if (addressPrefix.isBlank()) {
        throw new ConfigException("address_prefix", "a word", "\"" + addressPrefix + "\"");
      }
    }
  }

  /**
   * What batches cost.
   *
   * @param warmup longest time that a model runs over its batch sizes before it is ready; zero for
   *     not at all
   * @param stored whether what was learned is kept in files
   */
  public record Profiles(Duration warmup, boolean stored) {
    public static final Profiles DEFAULT = new Profiles(Duration.ofMillis(500), true);

    public Profiles {
      Range.require("warmup_ms", 0, 600_000, warmup.toMillis());
    }
  }

  /**
   * What the server keeps for models in processes of their own.
   *
   * @param spareWorkers processes without a model, for when one is lost; none where no model is in
   *     a process of its own
   */
  public record Isolation(int spareWorkers) {

    /** Each is a Java virtual machine. */
    private static final int MOST_SPARES = 64;

    public static final Isolation DEFAULT = new Isolation(1);

    public Isolation {
      Range.require("spare_workers", 0, MOST_SPARES, spareWorkers);
    }
  }

  /** How log lines are written. */
  public enum LogFormat {
    TEXT,
    JSON
  }

  public ServerConfig {
    if (shutdownGrace.isNegative()) {
      throw new ConfigException("shutdown_grace_ms", "0 or more", shutdownGrace.toMillis());
    }
  }

  /** Returns the same for another repository. */
  public ServerConfig withModelRepository(Path repository) {
    return new ServerConfig(
        repository,
        http,
        grpc,
        metrics,
        limits,
        devices,
        eventBus,
        tenants,
        profiles,
        isolation,
        shutdownGrace,
        logFormat);
  }

  /** Apart, because what the parts check must not need the whole to be initialised. */
  private static final class Range {
    private static void require(String key, long min, long max, long value) {
      if (value < min || value > max) {
        throw new ConfigException(key, value < min ? min + " or more" : "at most " + max, value);
      }
    }
  }
}
