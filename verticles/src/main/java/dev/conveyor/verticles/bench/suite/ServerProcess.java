package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.HttpPayload;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/**
 * A server in a process of its own, on free ports.
 *
 * <p>Not thread-safe: owned by the row that started it, which closes it.
 */
final class ServerProcess implements AutoCloseable {

  private static final String MAIN = "dev.conveyor.verticles.cli.Main";
  private static final Duration READY_LIMIT = Duration.ofMinutes(1);
  private static final Duration CALL_LIMIT = Duration.ofMinutes(1);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(10);
  private static final long POLL_MS = 50;
  private static final int REGIONS = 16;

  private final Process process;
  private final Path log;
  private final int httpPort;
  private final int grpcPort;
  private final int metricsPort;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private ServerProcess(Process process, Path log, int[] ports) {
    this.process = process;
    this.log = log;
    this.httpPort = ports[0];
    this.grpcPort = ports[1];
    this.metricsPort = ports[2];
  }

  /** Starts a server and waits until it is ready. */
  static ServerProcess start(
      Lab lab, Path repository, Path work, List<String> jvmOptions, Map<String, String> environment)
      throws IOException, InterruptedException {
    int[] ports = freePorts(3);
    Path config = work.resolve("conveyor.json");
    Files.writeString(
        config,
        new JsonObject()
            .put("model_repository", repository.toString())
            .put("http", endpoint(ports[0]))
            .put("grpc", endpoint(ports[1]))
            .put("metrics", endpoint(ports[2]))
            .put("limits", new JsonObject().put("max_shared_memory_regions", REGIONS))
            .encodePrettily());
    Path log = work.resolve("server.log");
    Process process =
        Programs.start(
            lab.java(jvmOptions, MAIN, List.of("serve", config.toString())), environment, log);
    ServerProcess server = new ServerProcess(process, log, ports);
    try {
      server.awaitReady();
    } catch (RuntimeException | IOException | InterruptedException e) {
      server.close();
      throw e;
    }
    return server;
  }

  int httpPort() {
    return httpPort;
  }

  int grpcPort() {
    return grpcPort;
  }

  CpuClock cpu() {
    return ProcFs.cpuOf(process.pid());
  }

  /** Returns the CPU time of the threads with a name. */
  CpuClock threadCpu(String name) {
    ProcFs proc = ProcFs.system();
    return () -> proc.threadCpuSeconds(process.pid(), name);
  }

  /** Returns the CPU time of the JVM's optimising compiler. */
  CpuClock compiler() {
    return Settling.compilerOf(process.pid());
  }

  OptionalLong residentBytes() {
    return ProcFs.system().residentBytes(process.pid());
  }

  /** Loads or unloads a model and waits until that is done. */
  void repository(String model, String action) throws IOException, InterruptedException {
    URI uri = uri(httpPort, "/v2/repository/models/%s/%s".formatted(model, action));
    HttpResponse<String> response =
        client.send(
            HttpRequest.newBuilder(uri)
                .timeout(CALL_LIMIT)
                .POST(HttpRequest.BodyPublishers.ofString("{}"))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new CannotMeasureException(
          "%s of %s: HTTP %d %s".formatted(action, model, response.statusCode(), response.body()));
    }
  }

  /** Returns what the JVM of the server answers to a command of {@code jcmd}. */
  String jcmd(Path work, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "jcmd").toString());
    command.add(Long.toString(process.pid()));
    command.addAll(List.of(arguments));
    return Programs.run(command, work.resolve("jcmd.txt"), CALL_LIMIT);
  }

  /** Returns the processes that the server has started and that live. */
  List<ProcessHandle> children() {
    return process.children().filter(ProcessHandle::isAlive).toList();
  }

  /** Sends one request and returns the status of the answer. */
  int infer(String model, HttpPayload request) throws IOException, InterruptedException {
    HttpRequest post =
        HttpRequest.newBuilder(uri(httpPort, HttpPayload.uri(model)))
            .timeout(CALL_LIMIT)
            .header(HttpPayload.HEAD_LENGTH_HEADER, Integer.toString(request.headBytes()))
            .POST(HttpRequest.BodyPublishers.ofByteArray(request.body().getBytes()))
            .build();
    return client.send(post, HttpResponse.BodyHandlers.ofByteArray()).statusCode();
  }

  /** Sends one image to a model that takes one, and returns the answer with all data as JSON. */
  JsonObject answer(String model, String input, byte[] image)
      throws IOException, InterruptedException {
    return new JsonObject(
        new String(answer(model, input, image, false).body(), StandardCharsets.UTF_8));
  }

  /** Sends one image to a model that takes one, and returns the data of its outputs. */
  ByteBuffer binaryAnswer(String model, String input, byte[] image)
      throws IOException, InterruptedException {
    HttpResponse<byte[]> response = answer(model, input, image, true);
    int head = (int) response.headers().firstValueAsLong(HttpPayload.HEAD_LENGTH_HEADER).orElse(0);
    return ByteBuffer.wrap(response.body(), head, response.body().length - head).slice();
  }

  private HttpResponse<byte[]> answer(String model, String input, byte[] image, boolean binary)
      throws IOException, InterruptedException {
    JsonObject tensor =
        new JsonObject()
            .put("name", input)
            .put("datatype", "BYTES")
            .put("shape", new JsonArray().add(1))
            .put("parameters", new JsonObject().put("binary_data_size", image.length + 4));
    Buffer body =
        new JsonObject()
            .put("inputs", new JsonArray().add(tensor))
            .put("parameters", new JsonObject().put("binary_data_output", binary))
            .toBuffer();
    int headBytes = body.length();
    body.appendIntLE(image.length).appendBytes(image);
    HttpRequest post =
        HttpRequest.newBuilder(uri(httpPort, HttpPayload.uri(model)))
            .timeout(CALL_LIMIT)
            .header(HttpPayload.HEAD_LENGTH_HEADER, Integer.toString(headBytes))
            .POST(HttpRequest.BodyPublishers.ofByteArray(body.getBytes()))
            .build();
    HttpResponse<byte[]> response = client.send(post, HttpResponse.BodyHandlers.ofByteArray());
    if (response.statusCode() != 200) {
      throw new CannotMeasureException(
          "%s: HTTP %d %s"
              .formatted(
                  model,
                  response.statusCode(),
                  new String(response.body(), StandardCharsets.UTF_8)));
    }
    return response;
  }

  /** Returns the process that the only instance of a model runs in. */
  ProcessHandle worker(String model) throws IOException, InterruptedException {
    JsonArray instances =
        new JsonObject(page("/v2/models/" + model + "/instances")).getJsonArray("instances");
    List<ProcessHandle> workers =
        instances.stream()
            .flatMap(line -> ProcessHandle.of(((JsonObject) line).getLong("pid", 0L)).stream())
            .toList();
    if (workers.size() != 1) {
      throw new CannotMeasureException("one worker was expected, there is: " + instances.encode());
    }
    return workers.get(0);
  }

  /** Returns what the HTTP front end answers. */
  String page(String path) throws IOException, InterruptedException {
    HttpResponse<String> response = get(httpPort, path);
    if (response.statusCode() != 200) {
      throw new CannotMeasureException(
          "GET %s: HTTP %d %s".formatted(path, response.statusCode(), response.body()));
    }
    return response.body();
  }

  /** Returns the metrics page. */
  String metrics() throws IOException, InterruptedException {
    return get(metricsPort, "/metrics").body();
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private void awaitReady() throws IOException, InterruptedException {
    long startNs = System.nanoTime();
    while (!isReady()) {
      if (!process.isAlive()) {
        throw new CannotMeasureException(
            "the server ended with %d: %s".formatted(process.exitValue(), log()));
      }
      if (System.nanoTime() - startNs > READY_LIMIT.toNanos()) {
        throw new CannotMeasureException(
            "the server was not ready within %d s: %s".formatted(READY_LIMIT.toSeconds(), log()));
      }
      TimeUnit.MILLISECONDS.sleep(POLL_MS);
    }
  }

  private boolean isReady() throws InterruptedException {
    try {
      return get(httpPort, "/v2/health/ready").statusCode() == 200;
    } catch (IOException notListening) {
      return false;
    }
  }

  private HttpResponse<String> get(int port, String path) throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(uri(port, path)).timeout(CALL_LIMIT).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private String log() throws IOException {
    return Programs.tail(Files.readString(log));
  }

  private static URI uri(int port, String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  private static JsonObject endpoint(int port) {
    return new JsonObject().put("host", "127.0.0.1").put("port", port);
  }

  /** Finds ports that are free now, all open at once so that they differ. */
  private static int[] freePorts(int count) throws IOException {
    ServerSocket[] sockets = new ServerSocket[count];
    int[] ports = new int[count];
    try {
      for (int i = 0; i < count; i++) {
        sockets[i] = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        ports[i] = sockets[i].getLocalPort();
      }
    } finally {
      for (ServerSocket socket : sockets) {
        if (socket != null) {
          socket.close();
        }
      }
    }
    return ports;
  }
}
