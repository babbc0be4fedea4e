package dev.conveyor.verticles.cli;

import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.config.ServerConfigReader;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.repository.ModelInspector;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.models.repository.RepositoryException;
import dev.conveyor.models.repository.RepositoryValidator;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.Machine;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Runs a server in the foreground until SIGTERM or SIGINT, or checks a repository. */
@Command(
    name = "serve",
    mixinStandardHelpOptions = true,
    description = "Starts a server and keeps it up.")
final class ServeCommand implements Callable<Integer> {

  private static final Path DEFAULT_FILE = Path.of("conf", "conveyor.json");

  private static final long LISTEN_LIMIT_SECONDS = 30;

  @Spec private @Nullable CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "CONFIG",
      description = "The server's configuration file (default: conf/conveyor.json if it is there).")
  private @Nullable Path file;

  @Option(names = "--validate", description = "Check the repository and exit without serving.")
  private boolean validate;

  @Option(
      names = "--home",
      paramLabel = "DIR",
      defaultValue = Home.DEFAULT,
      description = "Where conf/conveyor.json and conf/models are. Default: ${DEFAULT-VALUE}.")
  private Path home = Path.of("");

  @Override
  public Integer call() throws Exception {
    CommandLine line = Objects.requireNonNull(spec).commandLine();
    ServerConfig config;
    try {
      config = read();
    } catch (ConfigException e) {
      line.getErr().println("conveyor: " + e.getMessage());
      return 2;
    }
    if (validate) {
      return validate(config, line.getOut(), line.getErr());
    }
    try {
      // Before anybody is listened to, and told that models are on their way.
      new ModelRepository(config.modelRepository()).list();
    } catch (RepositoryException e) {
      line.getErr().println("conveyor: cannot start: " + e.getMessage());
      return 1;
    }
    return serve(config);
  }

  private ServerConfig read() {
    Path byDefault = home.resolve(DEFAULT_FILE);
    ServerConfig config =
        file != null
            ? ServerConfigReader.read(file)
            : Files.exists(byDefault) ? ServerConfigReader.read(byDefault) : ServerConfig.DEFAULT;
    // What a file says is absolute by now: relative is only the default.
    return config.withModelRepository(home.resolve(config.modelRepository()).normalize());
  }

  private static int serve(ServerConfig config) throws Exception {
    final long start = System.nanoTime();
    if (config.logFormat() == ServerConfig.LogFormat.JSON) {
      System.setProperty("CONVEYOR_LOG", "json");
    }
    // Beside the set-up of the front ends. If it fails, so do the models, and they say why.
    CompletableFuture<Void> unused = CompletableFuture.runAsync(OnnxBackend::prepare);
    PrintStream out = System.out;
    CountDownLatch stopped = new CountDownLatch(1);
    Vertx vertx =
        Vertx.vertx(
            new VertxOptions()
                .setEventLoopPoolSize(Machine.eventLoops())
                .setPreferNativeTransport(true));
    CompletableFuture<ConveyorServer> listening = new CompletableFuture<>();
    long graceMs = config.shutdownGrace().toMillis();
    // Before anything is opened: a service that is told to stop while it starts ends in order too.
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(() -> shutDown(listening, vertx, graceMs, stopped), "shutdown"));
    ConveyorServer server;
    try {
      server = new ConveyorServer(vertx, config, new StartupLog(out));
      await(server.listen(), LISTEN_LIMIT_SECONDS);
      listening.complete(server);
    } catch (Exception e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      System.err.println("conveyor: cannot start: " + cause.getMessage());
      await(vertx.close(), 10);
      return 1;
    } finally {
      // Without effect on one that listens.
      listening.completeExceptionally(new IllegalStateException("did not start"));
    }
    StartupLog.printAddresses(out, server, config);
    await(server.loadModels(), 3600);
    StartupLog.printReady(out, server, System.nanoTime() - start);
    stopped.await();
    return 0;
  }

  /**
   * Stops the server, once it listens, and ends the process with exit code 0. If it could not start
   * there is nothing to stop, and the process ends with the exit code that it has.
   */
  private static void shutDown(
      CompletableFuture<ConveyorServer> listening,
      Vertx vertx,
      long graceMs,
      CountDownLatch stopped) {
    try {
      stop(listening.get(2 * LISTEN_LIMIT_SECONDS, TimeUnit.SECONDS), vertx, graceMs, stopped);
    } catch (ExecutionException e) {
      // Who tried to start it tells why.
    } catch (InterruptedException | TimeoutException e) {
      System.err.println("conveyor: did not stop in order: it has not started either");
      Runtime.getRuntime().halt(1);
    }
  }

  private static void stop(
      ConveyorServer server, Vertx vertx, long graceMs, CountDownLatch stopped) {
    try {
      await(server.stop(), graceMs / 1000 + 2);
      // Not chained to the stop: its future would complete on a loop that is gone by then.
      await(vertx.close(), 5);
      System.out.println("stopped");
      stopped.countDown();
      // A process that ends by a signal reports that signal; we ended in order.
      Runtime.getRuntime().halt(0);
    } catch (TimeoutException e) {
      // Every request was answered; only executions that do not end are left.
      server.abandon();
      System.out.println("stopped, with executions that did not end");
      stopped.countDown();
      Runtime.getRuntime().halt(0);
    } catch (Exception e) {
      System.err.println("conveyor: did not stop in order: " + e);
      Runtime.getRuntime().halt(1);
    }
  }

  private static int validate(ServerConfig config, PrintWriter out, PrintWriter err) {
    ModelInspector inspector = new FileInspector();
    try {
      ModelRepository repository = new ModelRepository(config.modelRepository());
      List<String> names = repository.list();
      List<RepositoryValidator.Finding> findings =
          new RepositoryValidator(repository, inspector).validate();
      findings.forEach(out::println);
      names.forEach(name -> printWarnings(repository, name, out));
      out.printf(
          "%s: %d models, %d findings%n", config.modelRepository(), names.size(), findings.size());
      return findings.isEmpty() ? 0 : 1;
    } catch (RepositoryException e) {
      err.println("conveyor: " + e.getMessage());
      return 1;
    } finally {
      out.flush();
    }
  }

  /** What is asked for and has no effect is told, and is no finding. */
  private static void printWarnings(ModelRepository repository, String name, PrintWriter out) {
    try {
      List<String> warnings = repository.open(name).readConfig().warnings();
      warnings.forEach(line -> out.println(name + ": note: " + line));
    } catch (ConfigException | RepositoryException e) {
      // A finding already.
    }
  }

  private static void await(io.vertx.core.Future<?> future, long seconds) throws Exception {
    future.toCompletionStage().toCompletableFuture().get(seconds, TimeUnit.SECONDS);
  }
}
