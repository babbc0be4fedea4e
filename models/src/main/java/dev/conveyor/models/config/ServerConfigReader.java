package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.under;

import dev.conveyor.models.proto.ServerSettings;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * Reads the server's file, as strictly as {@link ModelConfigReader}. Every key is optional.
 * Stateless.
 */
public final class ServerConfigReader {

  private static final ServerConfig DEFAULT = ServerConfig.DEFAULT;

  private ServerConfigReader() {}

  /**
   * Reads a file. A relative path in it starts at the directory of the file, so that the file means
   * the same wherever the server is started.
   *
   * @throws ConfigException that names file, line and key
   */
  public static ServerConfig read(Path file) {
    ServerConfig config = read(file.toString(), ModelConfigReader.text(file));
    return config.modelRepository() == DEFAULT.modelRepository()
        ? config
        : config.withModelRepository(
            file.toAbsolutePath().resolveSibling(config.modelRepository()).normalize());
  }

  /** Reads the text of {@code file}, which is for messages only; paths stay as they are written. */
  public static ServerConfig read(String file, String json) {
    Map<String, Integer> lines = new HashMap<>();
    return Keys.in(
        file,
        lines,
        () -> {
          ServerSettings.Builder settings = ServerSettings.newBuilder();
          StrictJsonReader.read(json, settings, Map.of(), lines);
          return map(settings.build());
        });
  }

  private static ServerConfig map(ServerSettings settings) {
    return new ServerConfig(
        settings.hasModelRepository()
            ? path(settings.getModelRepository())
            : DEFAULT.modelRepository(),
        under("http", () -> listener(settings.getHttp(), DEFAULT.http())),
        under("grpc", () -> listener(settings.getGrpc(), DEFAULT.grpc())),
        under("metrics", () -> listener(settings.getMetrics(), DEFAULT.metrics())),
        under("limits", () -> limits(settings.getLimits())),
        new ServerConfig.Devices(
            under("devices.cpu", () -> cpu(settings.getDevices().getCpu())),
            under("devices.gpu", () -> gpu(settings.getDevices().getGpu()))),
        under("event_bus", () -> eventBus(settings.getEventBus())),
        under("tenants", () -> AdmissionMapper.tenants(settings.getTenants())),
        under("profiles", () -> profiles(settings.getProfiles())),
        under("isolation", () -> isolation(settings.getIsolation())),
        settings.hasShutdownGraceMs()
            ? Duration.ofMillis(settings.getShutdownGraceMs())
            : DEFAULT.shutdownGrace(),
        settings.hasLogFormat() ? logFormat(settings.getLogFormat()) : DEFAULT.logFormat());
  }

  private static Path path(String path) {
    try {
      if (!path.isBlank()) {
        return Path.of(path);
      }
    } catch (InvalidPathException e) {
      throw new ConfigException("model_repository", "not a path: " + e.getReason());
    }
    throw new ConfigException("model_repository", "a path", "\"" + path + "\"");
  }

  private static ServerConfig.Listener listener(
      ServerSettings.Listener listener, ServerConfig.Listener defaults) {
    return new ServerConfig.Listener(
        listener.hasHost() ? listener.getHost() : defaults.host(),
        listener.hasPort() ? listener.getPort() : defaults.port());
  }

  private static ServerConfig.Limits limits(ServerSettings.Limits limits) {
    ServerConfig.Limits defaults = DEFAULT.limits();
    long message =
        limits.hasMaxMessageBytes() ? limits.getMaxMessageBytes() : defaults.maxMessageBytes();
    return new ServerConfig.Limits(
        message,
        limits.hasMaxImagePixels() ? limits.getMaxImagePixels() : defaults.maxImagePixels(),
        limits.hasMaxQueueSize() ? limits.getMaxQueueSize() : defaults.maxQueueSize(),
        limits.hasMaxConnections() ? limits.getMaxConnections() : defaults.maxConnections(),
        limits.hasMaxHeaderBytes() ? limits.getMaxHeaderBytes() : defaults.maxHeaderBytes(),
        limits.hasRequestMemoryBytes()
            ? limits.getRequestMemoryBytes()
            : Math.max(message, defaults.requestMemoryBytes()),
        limits.hasBodyTimeoutMs()
            ? Duration.ofMillis(limits.getBodyTimeoutMs())
            : defaults.bodyTimeout(),
        limits.hasLoadTimeoutMs()
            ? Duration.ofMillis(limits.getLoadTimeoutMs())
            : defaults.loadTimeout(),
        limits.hasMaxSharedMemoryRegions()
            ? limits.getMaxSharedMemoryRegions()
            : defaults.maxSharedMemoryRegions());
  }

  private static ServerConfig.Cpu cpu(ServerSettings.Cpu cpu) {
    ServerConfig.Cpu defaults = DEFAULT.devices().cpu();
    return new ServerConfig.Cpu(
        cpu.hasCores() ? cpu.getCores() : defaults.cores(),
        cpu.hasMemoryBudgetBytes() ? cpu.getMemoryBudgetBytes() : defaults.memoryBudgetBytes());
  }

  private static ServerConfig.Gpu gpu(ServerSettings.Gpu gpu) {
    ServerConfig.Gpu defaults = ServerConfig.Gpu.DEFAULT;
    return new ServerConfig.Gpu(
        gpu.hasEnabled() ? gpu.getEnabled() : defaults.enabled(),
        gpu.hasMinComputeCapability()
            ? capability(gpu.getMinComputeCapability())
            : defaults.minComputeCapability(),
        gpu.hasMemoryBudgetBytes() ? gpu.getMemoryBudgetBytes() : defaults.memoryBudgetBytes(),
        gpu.hasBatchesInFlight() ? gpu.getBatchesInFlight() : defaults.batchesInFlight(),
        gpu.hasSpin() ? gpu.getSpin() : defaults.spin(),
        gpu.hasPlacement() ? placement(gpu.getPlacement()) : defaults.placement());
  }

  private static ServerConfig.Placement placement(String name) {
    return switch (name) {
      case "fixed" -> ServerConfig.Placement.FIXED;
      case "planned" -> ServerConfig.Placement.PLANNED;
      default ->
          throw new ConfigException("placement", "\"fixed\" or \"planned\"", "\"" + name + "\"");
    };
  }

  /** As NVIDIA writes it, 8.9 for example; kept as ten times that. */
  private static int capability(double version) {
    long tenfold = Math.round(version * 10);
    if (!(version >= 0) || version >= 100 || Math.abs(version * 10 - tenfold) > 1e-6) {
      throw new ConfigException(
          "min_compute_capability", "a version such as 7.5", Double.toString(version));
    }
    return (int) tenfold;
  }

  private static ServerConfig.EventBus eventBus(ServerSettings.EventBus bus) {
    ServerConfig.EventBus defaults = DEFAULT.eventBus();
    return new ServerConfig.EventBus(
        bus.hasEnabled() ? bus.getEnabled() : defaults.enabled(),
        bus.hasAddressPrefix() ? bus.getAddressPrefix() : defaults.addressPrefix());
  }

  private static ServerConfig.Profiles profiles(ServerSettings.Profiles profiles) {
    ServerConfig.Profiles defaults = DEFAULT.profiles();
    return new ServerConfig.Profiles(
        profiles.hasWarmupMs() ? Duration.ofMillis(profiles.getWarmupMs()) : defaults.warmup(),
        profiles.hasStored() ? profiles.getStored() : defaults.stored());
  }

  private static ServerConfig.Isolation isolation(ServerSettings.Isolation isolation) {
    return isolation.hasSpareWorkers()
        ? new ServerConfig.Isolation(isolation.getSpareWorkers())
        : DEFAULT.isolation();
  }

  private static ServerConfig.LogFormat logFormat(String name) {
    return switch (name) {
      case "text" -> ServerConfig.LogFormat.TEXT;
      case "json" -> ServerConfig.LogFormat.JSON;
      default ->
          throw new ConfigException("log_format", "\"text\" or \"json\"", "\"" + name + "\"");
    };
  }
}
