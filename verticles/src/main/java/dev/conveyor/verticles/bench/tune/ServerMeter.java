package dev.conveyor.verticles.bench.tune;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Measurement;
import dev.conveyor.models.tune.Meter;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.models.tune.TunedConfig;
import dev.conveyor.models.tune.Undisturbed;
import dev.conveyor.models.tune.WarmUp;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.Machine;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.LoadProtocols;
import dev.conveyor.verticles.bench.load.LoadTarget;
import dev.conveyor.verticles.bench.load.Payloads;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A server in this process that loads the model with one setting after another and is put under
 * load over HTTP.
 *
 * <p>Not thread-safe: owned by the thread that opened it, which it blocks and which is no event
 * loop.
 */
public final class ServerMeter implements Meter, AutoCloseable {

  private static final Duration LOAD_LIMIT = Duration.ofMinutes(5);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(30);
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(30);
  private static final int CONNECTIONS = 256;
  private static final double WARM_UP_PART = 0.5;
  private static final Duration WARM_UP_WINDOW = Duration.ofMillis(700);
  private static final long SEED = 1;

  private final String model;
  private final TunedConfig config;
  private final LoadShape load;
  private final List<Buffer> images;
  private final Vertx vertx;
  private final ConveyorServer server;
  private final LoadDriver driver;
  private boolean warm;

  private ServerMeter(
      String model,
      TunedConfig config,
      LoadShape load,
      List<Buffer> images,
      Vertx vertx,
      ConveyorServer server,
      LoadDriver driver) {
    this.model = model;
    this.config = config;
    this.load = load;
    this.images = images;
    this.vertx = vertx;
    this.server = server;
    this.driver = driver;
  }

  /**
   * Starts a server without models.
   *
   * @param repository where the model is
   * @param images that requests carry; none sends synthetic tensors
   */
  public static ServerMeter open(
      Path repository, String model, TunedConfig config, LoadShape load, List<Buffer> images)
      throws TimeoutException {
    Vertx vertx =
        Vertx.vertx(
            new VertxOptions()
                .setEventLoopPoolSize(Machine.eventLoops())
                .setPreferNativeTransport(true));
    try {
      ConveyorServer server =
          new ConveyorServer(vertx, settings(repository), SupervisorEvents.NONE);
      await(server.listen(), STOP_LIMIT);
      LoadTarget target =
          new LoadTarget("127.0.0.1", server.httpPort(), connections(load), ANSWER_LIMIT, null);
      LoadDriver driver = LoadDriver.connect(LoadProtocols.find("http"), target);
      return new ServerMeter(model, config, load, List.copyOf(images), vertx, server, driver);
    } catch (RuntimeException | TimeoutException e) {
      vertx.close();
      throw e;
    }
  }

  @Override
  public Measurement measure(Setting setting, Duration length) {
    try {
      await(server.repository().load(model, config.text(setting)), LOAD_LIMIT);
      if (!warm) {
        warmUp(setting);
        warm = true;
      }
      return run(setting, length);
    } catch (TimeoutException e) {
      // A machine that stood still, or a model that does: another setting may do better.
      return Measurement.failed(setting, "not loaded or not answered in time");
    } catch (RuntimeException e) {
      return Measurement.failed(setting, String.valueOf(e.getMessage()));
    }
  }

  /**
   * Runs until the throughput has stopped rising. In its first seconds under load a Java server
   * compiles itself, and gives a third of what it gives later: whatever is tried first, which is
   * what promises most, would look worst.
   */
  private void warmUp(Setting setting) throws TimeoutException {
    WarmUp progress = new WarmUp();
    while (!progress.isOver()) {
      progress.add(run(setting, WARM_UP_WINDOW).perSecond());
    }
  }

  private Measurement run(Setting setting, Duration length) throws TimeoutException {
    Duration warmup = Duration.ofMillis(Math.round(length.toMillis() * WARM_UP_PART));
    LoadPoint point =
        driver.run(
            List.of(lane()),
            new LoadPlan(pattern(), warmup, length, ProcFs.machineCpu(), ProcFs.ownCpu(), SEED));
    return new Measurement(
        setting,
        point.inferencesPerSecond(),
        undisturbed(setting, point),
        point.inferences() == 0 ? 0 : point.latencyNs().getValueAtPercentile(99),
        point.failures(),
        length,
        point.inferences() > 0 || point.failures() > 0
            ? ""
            : "no answer within " + length.toMillis() + " ms");
  }

  /**
   * Server and client are one process here, so that the first clock of the load is the machine's.
   * An open load offers no more than it offers.
   */
  private double undisturbed(Setting setting, LoadPoint point) {
    double measured = point.inferencesPerSecond();
    if (load instanceof LoadShape.Open
        || point.serverCpuSeconds().isEmpty()
        || point.clientCpuSeconds().isEmpty()) {
      return measured;
    }
    int cores = Runtime.getRuntime().availableProcessors();
    double seconds = point.windowNs() / 1e9;
    double own = point.clientCpuSeconds().getAsDouble() / seconds;
    double all = point.serverCpuSeconds().getAsDouble() / seconds;
    int usual = setting.threads() == 0 ? cores : setting.instances() * setting.threads();
    int threads = Math.max(usual, setting.idleThreads());
    return Undisturbed.perSecond(measured, own, Math.max(0, all - own), cores, threads);
  }

  private Lane lane() {
    ServedModel served = server.catalog().find(model, "");
    List<TensorSpec> inputs =
        images.isEmpty() ? served.reshaping().client().inputs() : served.clientInputs();
    List<InferPayload> payloads =
        images.isEmpty()
            ? Payloads.synthetic(model, inputs, List.of(), 1, Payloads.Fill.RANDOM)
            : Payloads.images(model, inputs, List.of(), 1, images);
    return driver.lane(model, payloads);
  }

  private LoadPattern pattern() {
    return load instanceof LoadShape.Closed closed
        ? new LoadPattern.Closed(closed.inFlight())
        : new LoadPattern.Open(((LoadShape.Open) load).perSecond());
  }

  @Override
  public void close() {
    driver.close();
    try {
      await(server.stop(), STOP_LIMIT);
      // Not chained to the stop: its future would complete on a loop that is gone by then.
      await(vertx.close(), STOP_LIMIT);
    } catch (TimeoutException e) {
      throw new IllegalStateException("the server did not stop within " + STOP_LIMIT, e);
    }
  }

  private static int connections(LoadShape load) {
    return load instanceof LoadShape.Closed closed
        ? Math.max(closed.inFlight(), CONNECTIONS)
        : CONNECTIONS;
  }

  private static ServerConfig settings(Path repository) {
    ServerConfig usual = ServerConfig.DEFAULT;
    ServerConfig.Listener anyPort = new ServerConfig.Listener("127.0.0.1", 0);
    return new ServerConfig(
        repository,
        anyPort,
        anyPort,
        anyPort,
        usual.limits(),
        usual.devices(),
        new ServerConfig.EventBus(false, usual.eventBus().addressPrefix()),
        usual.tenants(),
        new ServerConfig.Profiles(usual.profiles().warmup(), false),
        usual.isolation(),
        usual.shutdownGrace(),
        usual.logFormat());
  }

  private static <T> T await(Future<T> future, Duration limit) throws TimeoutException {
    return future.await(limit.toMillis(), TimeUnit.MILLISECONDS);
  }
}
