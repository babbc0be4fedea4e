package dev.conveyor.verticles.bench;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.InputSpecs;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.LoadProtocol;
import dev.conveyor.verticles.bench.load.LoadProtocols;
import dev.conveyor.verticles.bench.load.LoadTarget;
import dev.conveyor.verticles.bench.load.Payloads;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** Puts a server under load, one point of the sweep after another. Stateless; blocks. */
final class ServerBench {

  private ServerBench() {}

  /** Measures every point; {@code progress} is told of each before it starts. */
  static List<LoadPoint> run(BenchOptions options, Consumer<String> progress)
      throws IOException, TimeoutException {
    if (options.models.isEmpty()) {
      throw new IllegalArgumentException("--model is missing");
    }
    List<LoadPattern> patterns = options.patterns();
    LoadProtocol protocol = LoadProtocols.find(options.protocol);
    int port = options.port > 0 ? options.port : protocol.defaultPort();
    LoadTarget target =
        new LoadTarget(
            options.host, port, connections(options), options.timeout(), options.serverConfig);
    try (LoadDriver driver = LoadDriver.connect(protocol, target)) {
      List<Lane> lanes = new ArrayList<>();
      for (String model : options.models) {
        lanes.add(driver.lane(model, payloads(driver, model, options)));
      }
      CpuClock server = serverCpu(options, port);
      List<LoadPoint> points = new ArrayList<>();
      for (LoadPattern pattern : patterns) {
        progress.accept("measuring " + pattern.label());
        points.add(
            driver.run(
                lanes,
                new LoadPlan(
                    pattern,
                    options.warmup(),
                    options.duration(),
                    server,
                    ProcFs.ownCpu(),
                    options.seed)));
      }
      return points;
    }
  }

  /** Returns the CPU time of the process that was named, or that listens on the port. */
  private static CpuClock serverCpu(BenchOptions options, int port) {
    long pid = options.serverPid;
    if (pid == 0 && port > 0 && isLoopback(options.host)) {
      OptionalLong listener = ProcFs.system().listener(port);
      if (listener.isEmpty()) {
        return CpuClock.UNKNOWN;
      }
      pid = listener.getAsLong();
    }
    if (pid == 0) {
      return CpuClock.UNKNOWN;
    }
    long process = pid;
    return ProcFs.cpuOf(process);
  }

  private static List<InferPayload> payloads(LoadDriver driver, String model, BenchOptions options)
      throws IOException, TimeoutException {
    List<TensorSpec> inputs =
        options.inputs.isEmpty()
            ? driver.inputs(model)
            : options.inputs.stream().map(InputSpecs::parse).toList();
    if (options.images == null) {
      return Payloads.synthetic(model, inputs, options.outputs, options.batch, options.fill);
    }
    List<Buffer> images = Payloads.readImages(options.images);
    return Payloads.images(model, inputs, options.outputs, options.batch, images);
  }

  /** A closed loop must never wait for a connection of its own. */
  private static int connections(BenchOptions options) {
    int most = options.concurrency.stream().mapToInt(n -> n).max().orElse(1);
    return Math.max(options.connections, most * options.models.size());
  }

  private static boolean isLoopback(String host) {
    return host.equals("localhost") || host.startsWith("127.") || host.equals("::1");
  }
}
