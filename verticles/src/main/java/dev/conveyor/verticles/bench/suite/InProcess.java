package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.BenchCommand;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A model run without a server, in a JVM of its own, kept to the same cores as servers are.
 *
 * @param perSecond inferences per second of all threads together
 * @param cpuSecondsPerInference of the whole process
 */
record InProcess(double perSecond, double cpuSecondsPerInference) {

  private static final Duration SLACK = Duration.ofMinutes(1);

  static InProcess measure(Lab lab, Path modelFile, int threads)
      throws IOException, InterruptedException {
    Path json = Files.createTempFile(lab.scratch(), "direct", ".json");
    List<String> command =
        lab.java(
            List.of(),
            BenchCommand.class.getName(),
            List.of(
                "--direct",
                modelFile.toString(),
                "--concurrency",
                Integer.toString(threads),
                "--warmup",
                Double.toString(lab.warmup().toMillis() / 1e3),
                "--duration",
                Double.toString(lab.duration().toMillis() / 1e3),
                "--json",
                json.toString()));
    Path output = Files.createTempFile(lab.scratch(), "direct", ".out");
    Programs.run(command, output, lab.warmup().plus(lab.duration()).plus(SLACK));
    return parse(Files.readString(json));
  }

  static InProcess parse(String json) {
    JsonObject point = new JsonArray(json).getJsonObject(0);
    Double cpuMicros = point.getDouble("server_cpu_micros_per_inference");
    if (cpuMicros == null) {
      throw new CannotMeasureException("the CPU time of a process cannot be read from /proc");
    }
    return new InProcess(point.getDouble("inferences_per_second"), cpuMicros / 1e6);
  }

  /** Returns the mean of two runs, before and after what they are compared with. */
  static InProcess mean(InProcess a, InProcess b) {
    return new InProcess(
        (a.perSecond + b.perSecond) / 2, (a.cpuSecondsPerInference + b.cpuSecondsPerInference) / 2);
  }
}
