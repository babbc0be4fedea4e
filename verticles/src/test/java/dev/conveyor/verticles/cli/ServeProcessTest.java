package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.http.HttpClient;
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
  void shouldAnswerEverythingItTookWhenItIsTerminated(@TempDir Path directory) throws Exception {
    TestModels models = new TestModels(directory.resolve("models"));
    for (String model : List.of("slow", "stuck")) {
      models
          .identity(model, 4)
          .config(
              model,
              """
              {"max_batch_size": 1, "instance_group": [{"kind": "KIND_CPU", "count": 1}],
               "conveyor": {"intra_op_threads": 1},
               "parameters": {"chaos": {"string_value": "on"}}}""");
    }
    Path file =
        Files.writeString(
            directory.resolve("server.json"),
            """
            {"model_repository": "%s", "http": {"port": 0}, "grpc": {"port": 0},
             "metrics": {"port": 0}, "shutdown_grace_ms": 6000}
            """
                .formatted(models.root()));
    Process process = start(file);
    List<CompletableFuture<Answer>> slow = new ArrayList<>();
    List<CompletableFuture<Answer>> stuck = new ArrayList<>();
    try (BufferedReader out = process.inputReader()) {
      int port = 0;
      HttpCalls metrics = null;
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        if (line.startsWith("http ")) {
          port = port(line);
        }
        if (line.startsWith("metrics ")) {
          metrics = new HttpCalls(port(line), HttpClient.Version.HTTP_1_1);
        }
        if (line.startsWith("ready")) {
          HttpCalls http = new HttpCalls(port, HttpClient.Version.HTTP_1_1);
          for (int i = 0; i < 3; i++) {
            slow.add(sleep(http, "slow", 100, i));
            stuck.add(sleep(http, "stuck", 60_000, i));
          }
          HttpCalls scraped = metrics;
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

  private static Process start(Path config) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            Main.class.getName(),
            "serve",
            config.toString())
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }
}
