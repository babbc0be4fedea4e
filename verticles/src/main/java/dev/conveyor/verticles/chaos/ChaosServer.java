package dev.conveyor.verticles.chaos;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A server in a process of its own whose models can be made to fail: it is started by {@link
 * FaultyMain}.
 *
 * <p>Not thread-safe: owned by the run that started it, which closes it.
 */
final class ChaosServer implements AutoCloseable {

  /** What the launcher gives a server beyond what this command itself needs. */
  private static final List<String> INHERITED =
      List.of(
          "-XX:SharedArchiveFile=",
          "-Xlog:cds",
          "-XX:ThreadPriorityPolicy=",
          "-XX:CompilerThreadPriority=");

  private static final long READY_LIMIT_NS = TimeUnit.MINUTES.toNanos(3);
  private static final long WORKER_BYTES = 512L << 20;
  private static final int WORKER_SILENCE_MS = 1000;
  private static final int CALL_PATIENCE = 3;

  /** For the clients of {@link Traffic}, and hundreds of bad ones at the same time. */
  private static final int CONNECTIONS = 8192;

  private final Process process;
  private final Path models;
  private final int httpPort;
  private final EventFeed events;
  private final Duration callLimit;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private ChaosServer(
      Process process, Path models, int httpPort, EventFeed events, Duration callLimit) {
    this.process = process;
    this.models = models;
    this.httpPort = httpPort;
    this.events = events;
    this.callLimit = callLimit;
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @param names of the models, all the same
   * @param isolated those that run in processes of their own
   * @param patience of clients
   * @param clock its clock, or null for that of the machine
   */
  static ChaosServer start(
      Path scratch,
      List<String> names,
      Set<String> isolated,
      Duration patience,
      @Nullable FakeClock clock)
      throws IOException, InterruptedException {
    Path models = Files.createDirectory(scratch.resolve("models"));
    for (String name : names) {
      writeModel(models, name, isolated.contains(name));
    }
    int[] ports = freePorts();
    Path config = scratch.resolve("conveyor.json");
    Files.writeString(
        config,
        new JsonObject()
            .put("model_repository", models.toString())
            .put("http", endpoint(ports[0]))
            .put("grpc", endpoint(ports[1]))
            .put("metrics", endpoint(ports[2]))
            .put("limits", new JsonObject().put("max_connections", CONNECTIONS))
            .encodePrettily());
    EventFeed events = EventFeed.open();
    ProcessBuilder command =
        new ProcessBuilder(command(events.port(), config))
            .redirectErrorStream(true)
            .redirectOutput(scratch.resolve("server.log").toFile());
    if (clock != null) {
      clock.giveTo(command.environment());
    }
    Process process = command.start();
    Signal.prepare();
    ChaosServer server =
        new ChaosServer(process, models, ports[0], events, patience.multipliedBy(CALL_PATIENCE));
    try {
      server.awaitReady(scratch.resolve("server.log"));
    } catch (IOException | InterruptedException | RuntimeException e) {
      server.close();
      throw e;
    }
    return server;
  }

  /** The command line: as {@code scripts/serve} has it, but for the backend. */
  private static List<String> command(int events, Path config) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-XX:+UseParallelGC",
            "-Xms512m",
            "-Xmx512m",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-D" + EventRelay.PORT + "=" + events));
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(option -> INHERITED.stream().anyMatch(option::startsWith))
        .forEach(command::add);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(FaultyMain.class.getName(), "serve", config.toString()));
    return command;
  }

  int httpPort() {
    return httpPort;
  }

  /** Returns the model's file, to be tampered with. */
  Path modelFile(String model) {
    return models.resolve(model).resolve("1").resolve("model.onnx");
  }

  /** Sends a signal. */
  void signal(Signal signal) {
    signal.to(process.pid());
  }

  /** Returns the numbers of the worker processes of a model that take batches. */
  List<Long> workers(String model) throws IOException, InterruptedException {
    HttpResponse<String> answer = get(httpPort, "/v2/models/" + model + "/instances");
    if (answer.statusCode() != 200) {
      return List.of(); // The model is away.
    }
    return new JsonObject(answer.body())
        .getJsonArray("instances").stream()
            .map(line -> ((JsonObject) line).getLong("pid", 0L))
            .filter(pid -> pid != 0)
            .toList();
  }

  /**
   * Limits the size of the files that the server writes from now on, as a disk that is full does.
   *
   * @param limit in bytes, in the words of {@code prlimit}
   */
  void limitFiles(String limit) throws IOException, InterruptedException {
    int exit =
        new ProcessBuilder("prlimit", "--pid", Long.toString(process.pid()), "--fsize=" + limit)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start()
            .waitFor();
    if (exit != 0) {
      throw new IOException("prlimit --fsize=%s ended with %d".formatted(limit, exit));
    }
  }

  /** Loads or unloads a model; returns the status. */
  HttpResponse<String> repository(String model, String action)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(
                uri(httpPort, "/v2/repository/models/%s/%s".formatted(model, action)))
            .timeout(callLimit)
            .POST(HttpRequest.BodyPublishers.ofString("{}"))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  /** Returns what the server takes for the time of the last inference: it reads the wall clock. */
  long lastInferenceMs(String model) throws IOException, InterruptedException {
    return statistics(model).getLong("last_inference");
  }

  /** Returns how many executions of a model succeeded. */
  long executions(String model) throws IOException, InterruptedException {
    return statistics(model).getLong("execution_count");
  }

  private JsonObject statistics(String model) throws IOException, InterruptedException {
    return new JsonObject(get(httpPort, "/v2/models/" + model + "/stats").body())
        .getJsonArray("model_stats")
        .getJsonObject(0);
  }

  /** Returns what the server tells of itself. */
  EventFeed events() {
    return events;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Ends the server in order; returns its exit code, -1 if it had to be killed. */
  int terminate() throws InterruptedException {
    process.toHandle().destroy();
    return process.waitFor(60, TimeUnit.SECONDS) ? process.exitValue() : -1;
  }

  @Override
  public void close() {
    process.destroyForcibly();
    events.close();
  }

  private HttpResponse<String> get(int port, String path) throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(uri(port, path)).timeout(callLimit).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private void awaitReady(Path log) throws IOException, InterruptedException {
    long startNs = System.nanoTime();
    while (true) {
      try {
        if (get(httpPort, "/v2/health/ready").statusCode() == 200) {
          return;
        }
      } catch (IOException notYet) {
        // It does not listen yet.
      }
      if (!process.isAlive() || System.nanoTime() - startNs > READY_LIMIT_NS) {
        throw new IOException("the server did not start: " + Files.readString(log));
      }
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  private static void writeModel(Path models, String name, boolean isolated) throws IOException {
    Path version = Files.createDirectories(models.resolve(name).resolve("1"));
    try (InputStream model =
        Objects.requireNonNull(ChaosServer.class.getResourceAsStream("/chaos/identity.onnx"))) {
      Files.copy(model, version.resolve("model.onnx"));
    }
    JsonObject instances = new JsonObject().put("kind", "KIND_CPU").put("count", 1);
    JsonObject own = new JsonObject().put("reject_non_finite", true).put("intra_op_threads", 1);
    if (isolated) {
      instances.put("isolation", "process");
      own.put(
          "process",
          new JsonObject()
              .put("max_memory_bytes", WORKER_BYTES)
              .put("heartbeat_timeout_ms", WORKER_SILENCE_MS));
    }
    Files.writeString(
        models.resolve(name).resolve("config.json"),
        new JsonObject()
            .put("max_batch_size", 32)
            .put("dynamic_batching", new JsonObject())
            .put("instance_group", new JsonArray().add(instances))
            .put("conveyor", own)
            .put(
                "parameters",
                new JsonObject()
                    .put(FaultyBackend.PARAMETER, new JsonObject().put("string_value", "on")))
            .encodePrettily());
  }

  private static JsonObject endpoint(int port) {
    return new JsonObject().put("host", "127.0.0.1").put("port", port);
  }

  private static URI uri(int port, String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  private static int[] freePorts() throws IOException {
    List<ServerSocket> sockets = new ArrayList<>();
    int[] ports = new int[3];
    try {
      for (int i = 0; i < ports.length; i++) {
        sockets.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
        ports[i] = sockets.get(i).getLocalPort();
      }
    } finally {
      for (ServerSocket socket : sockets) {
        socket.close();
      }
    }
    return ports;
  }
}
