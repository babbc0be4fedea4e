package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.process.RuntimeDirectory;
import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import dev.conveyor.verticles.supervisor.ModelSupervisor;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.http.HttpClient;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The server as a process of its own, which is what a signal ends. */
class ServeProcessTest {

  @Test
  void shouldEndInOrderWhenItIsTerminated(@TempDir Path directory)
      throws IOException, InterruptedException {
    Path models = TestHome.REAL.resolve("conf/models").toAbsolutePath().normalize();
    Path file =
        Files.writeString(
            directory.resolve("server.json"),
            """
            {"model_repository": "%s", "http": {"port": 0}, "grpc": {"port": 0},
             "metrics": {"port": 0}}
            """
                .formatted(models));
    Process process = start(file);
    List<String> lines = new ArrayList<>();
    try (BufferedReader out = process.inputReader()) {
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        lines.add(line);
        if (line.startsWith("ready")) {
          process.toHandle().destroy(); // Process.destroy() would close its output too
        }
      }
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }

    assertThat(process.exitValue()).isZero();
    assertThat(lines).anyMatch(line -> line.startsWith("ready    4 models")).endsWith("stopped");
  }

  @Test
  void shouldEndInOrderWhenItIsTerminatedBeforeItListens(@TempDir Path directory)
      throws IOException, InterruptedException {
    Path file = config(directory, new TestModels(directory.resolve("models")).identity("m", 4));
    Process process = start(file, "-Xlog:class+load:stdout");
    boolean terminated = false;
    List<String> lines = new ArrayList<>();
    try (BufferedReader out = process.inputReader()) {
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        if (!terminated && line.contains(ModelSupervisor.class.getName() + " ")) {
          terminated = true;
          process.toHandle().destroy();
        } else if (!terminated && line.startsWith("ready")) {
          process.destroyForcibly();
        }
        lines.add(line);
      }
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }

    assertThat(terminated).isTrue();
    assertThat(process.exitValue()).isZero();
    assertThat(lines).contains("stopped");
  }

  @Test
  void shouldReportThatItCouldNotStart(@TempDir Path directory) throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Path file =
          Files.writeString(
              directory.resolve("server.json"),
              """
              {"model_repository": "%s", "http": {"port": %d, "host": "127.0.0.1"},
               "grpc": {"port": 0}, "metrics": {"port": 0}}
              """
                  .formatted(
                      new TestModels(directory.resolve("models")).identity("m", 4).root(),
                      taken.getLocalPort()));
      Process process = start(file);
      try {
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      } finally {
        process.destroyForcibly();
      }

      assertThat(process.exitValue()).isEqualTo(1);
    }
  }

  @Test
  void shouldAnswerEverythingItTookWhenItIsTerminated(@TempDir Path directory) throws Exception {
    TestModels models = new TestModels(directory.resolve("models"));
    for (String model : List.of("slow", "stuck")) {
      String isolation = model.equals("slow") ? "process" : "none";
      models
          .identity(model, 4)
          .config(
              model,
              """
              {"max_batch_size": 1,
               "instance_group": [{"kind": "KIND_CPU", "count": 1, "isolation": "%s"}],
               "conveyor": {"intra_op_threads": 1},
               "parameters": {"chaos": {"string_value": "on"}}}"""
                  .formatted(isolation));
    }
    Process process = start(config(directory, models));
    List<CompletableFuture<Answer>> slow = new ArrayList<>();
    List<CompletableFuture<Answer>> stuck = new ArrayList<>();
    try (BufferedReader out = process.inputReader()) {
      Ports ports = new Ports();
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        ports.read(line);
        if (line.startsWith("ready")) {
          HttpCalls http = ports.http();
          for (int i = 0; i < 3; i++) {
            slow.add(sleep(http, "slow", 100, i));
            stuck.add(sleep(http, "stuck", 60_000, i));
          }
          HttpCalls scraped = ports.metrics();
          TestServer.awaitThat(() -> taken(scraped, "slow") >= 3 && taken(scraped, "stuck") >= 3);
          process.toHandle().destroy();
        }
      }
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).isZero();
    for (CompletableFuture<Answer> answer : slow) {
      assertThat(answer.get().status()).isEqualTo(200);
    }
    for (CompletableFuture<Answer> answer : stuck) {
      assertThat(answer.get().status()).isEqualTo(503);
    }
    assertThat(directoriesOf(process)).as("with an execution that does not end").isEmpty();
  }

  /** What a server has beside its repository while it has workers. */
  private static List<Path> directoriesOf(Process server) throws IOException {
    List<Path> found = new ArrayList<>();
    for (String parent : List.of("/dev/shm", System.getProperty("java.io.tmpdir"))) {
      try (DirectoryStream<Path> directories =
          Files.newDirectoryStream(
              Path.of(parent), RuntimeDirectory.PREFIX + server.pid() + "-*")) {
        directories.forEach(found::add);
      }
    }
    return found;
  }

  @Test
  void shouldAnswerWhatWorkersRunWhenAllProcessesAreTerminatedTogether(@TempDir Path directory)
      throws Exception {
    TestModels models = new TestModels(directory.resolve("models"));
    models
        .identity("apart", 4)
        .config(
            "apart",
            """
            {"max_batch_size": 1,
             "instance_group": [{"kind": "KIND_CPU", "count": 1, "isolation": "process"}],
             "conveyor": {"intra_op_threads": 1},
             "parameters": {"chaos": {"string_value": "on"}}}""");
    Process process = start(config(directory, models));
    List<ProcessHandle> workers = List.of();
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    List<String> lines = new ArrayList<>();
    try (BufferedReader out = process.inputReader()) {
      Ports ports = new Ports();
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        lines.add(line);
        ports.read(line);
        if (line.startsWith("ready")) {
          for (int i = 0; i < 3; i++) {
            answers.add(sleep(ports.http(), "apart", 500, i));
          }
          HttpCalls scraped = ports.metrics();
          TestServer.awaitThat(() -> taken(scraped, "apart") >= 3);
          workers = process.descendants().toList();
          // As a service manager does it, and a terminal with another signal.
          workers.forEach(ProcessHandle::destroy);
          process.toHandle().destroy();
        }
      }
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }

    for (CompletableFuture<Answer> answer : answers) {
      assertThat(answer.get().status()).as(answer.get().text()).isEqualTo(200);
    }
    assertThat(process.exitValue()).isZero();
    assertThat(lines).endsWith("stopped");
    assertThat(workers).isNotEmpty();
    for (ProcessHandle worker : workers) {
      assertThat(worker.onExit().get(60, TimeUnit.SECONDS)).isNotNull();
    }
  }

  /** Where a server says that it listens. */
  private static final class Ports {
    private int http;
    private int metrics;

    void read(String line) {
      http = line.startsWith("http ") ? port(line) : http;
      metrics = line.startsWith("metrics ") ? port(line) : metrics;
    }

    HttpCalls http() {
      return new HttpCalls(http, HttpClient.Version.HTTP_1_1);
    }

    HttpCalls metrics() {
      return new HttpCalls(metrics, HttpClient.Version.HTTP_1_1);
    }
  }

  private static Path config(Path directory, TestModels models) throws IOException {
    return Files.writeString(
        directory.resolve("server.json"),
        """
        {"model_repository": "%s", "http": {"port": 0}, "grpc": {"port": 0},
         "metrics": {"port": 0}, "shutdown_grace_ms": 6000}
        """
            .formatted(models.root()));
  }

  /** Each with inputs of its own: the same ones would be blamed for the third instance. */
  private static CompletableFuture<Answer> sleep(HttpCalls http, String model, int ms, int item) {
    return http.inferAsync(model, Requests.row(Poison.SLEEP.mark(), ms, 0, item), new byte[0]);
  }

  /** Returns how many requests wait, run, or were answered. */
  private static double taken(HttpCalls metrics, String model) {
    double taken = 0;
    for (String line : metrics.get("/metrics").text().lines().toList()) {
      boolean counts =
          line.startsWith("nv_inference_pending_request_count{")
              || line.startsWith("conveyor_running_batches{")
              || line.startsWith("nv_inference_request_success{");
      if (counts && line.contains("model=\"" + model + "\"")) {
        taken += Double.parseDouble(line.substring(line.lastIndexOf(' ')));
      }
    }
    return taken;
  }

  private static int port(String line) {
    Matcher matcher = Pattern.compile("http://[^:]+:(\\d+)").matcher(line);
    assertThat(matcher.find()).as(line).isTrue();
    return Integer.parseInt(matcher.group(1));
  }

  private static Process start(Path config, String... options) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(Main.class.getName(), "serve", config.toString()));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
  }
}
