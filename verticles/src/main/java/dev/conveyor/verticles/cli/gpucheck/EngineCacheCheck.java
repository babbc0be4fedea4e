package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** That an engine is built once, is read from its file the next time, and is not if damaged. */
final class EngineCacheCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(8);

  @Override
  public String name() {
    return "tensorrt-cache";
  }

  @Override
  public String what() {
    return "the second load reads the engine; one with a byte changed is built again";
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) throws IOException {
    Path cache = site.scratch().resolve("cache");
    Way way = Way.tensorRt("FP16", cache);
    GpuBackend backend = way.find();
    String unavailable = backend.unavailable();
    if (!unavailable.isEmpty()) {
      return Finding.skipped(unavailable);
    }
    Subject subject = Subject.classifier(site);
    ModelConfig config = way.config(subject);
    final double built = seconds(site, backend, subject, config);
    final List<Path> engines = engines(cache);
    final double read = seconds(site, backend, subject, config);
    for (Path engine : engines) {
      byte[] bytes = Files.readAllBytes(engine);
      bytes[bytes.length / 2] ^= 1;
      Files.write(engine, bytes);
    }
    final double again = seconds(site, backend, subject, config);
    String figure =
        String.format(
            Locale.ROOT, "built in %.1f s, read in %.2f s, rebuilt in %.1f s", built, read, again);
    return Finding.of(
            engines.size() == 1 && read < built / 2 && again > 2 * read,
            figure,
            engines.size() + " engines were kept; the second load should be the quick one")
        .with("build_seconds", built)
        .with("read_seconds", read)
        .with("rebuild_seconds", again);
  }

  private static double seconds(
      CheckSite site, GpuBackend backend, Subject subject, ModelConfig config) {
    long beginNs = System.nanoTime();
    ModelCheck.load(site, backend, subject, config).close();
    return (System.nanoTime() - beginNs) / 1e9;
  }

  private static List<Path> engines(Path directory) {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> file.toString().endsWith(".engine")).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
