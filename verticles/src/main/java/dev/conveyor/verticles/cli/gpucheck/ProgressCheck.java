package dev.conveyor.verticles.cli.gpucheck;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.conveyor.models.device.GpuBackend;
import dev.conveyor.models.tensorrt.TensorRtBackend;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.slf4j.LoggerFactory;

/**
 * That TensorRT tells how far a build is. It calls an object that no C++ compiler has made, so this
 * may end the process; models leave it off.
 */
final class ProgressCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(8);
  private static final String TOLD = ": TensorRT: ";

  @Override
  public String name() {
    return "tensorrt-progress";
  }

  @Override
  public String what() {
    return "with build_progress, TensorRT tells of phases, and that they are done";
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) {
    Path cache = site.scratch().resolve("progress"); // Nothing is told of an engine that is there.
    Way way = Way.tensorRt("FP16", cache, new JsonObject().put("build_progress", "true"));
    GpuBackend backend = way.find();
    String unavailable = backend.unavailable();
    if (!unavailable.isEmpty()) {
      return Finding.skipped(unavailable);
    }
    Subject subject = Subject.classifier(site);
    return judge(
        linesOf(() -> ModelCheck.load(site, backend, subject, way.config(subject)).close()));
  }

  /** Returns what the builder told while {@code load} ran, a line each. */
  static List<String> linesOf(Runnable load) {
    Logger logger = (Logger) LoggerFactory.getLogger(TensorRtBackend.class);
    ListAppender<ILoggingEvent> heard = new ListAppender<>();
    heard.start();
    Level before = logger.getLevel();
    logger.setLevel(Level.INFO);
    logger.addAppender(heard);
    try {
      load.run();
    } finally {
      logger.detachAppender(heard);
      logger.setLevel(before);
    }
    return heard.list.stream()
        .map(ILoggingEvent::getFormattedMessage)
        .filter(line -> line.contains(TOLD))
        .toList();
  }

  static Finding judge(List<String> lines) {
    int done = (int) lines.stream().filter(line -> line.endsWith(": done")).count();
    return Finding.of(
            done > 0,
            String.format(Locale.ROOT, "%d lines, %d phases done", lines.size(), done),
            "TensorRT told of no phase that was done")
        .with("lines", lines.size())
        .with("phases", done);
  }
}
