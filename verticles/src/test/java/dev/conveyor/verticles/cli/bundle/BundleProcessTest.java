package dev.conveyor.verticles.cli.bundle;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** A bundle from end to end: packed, unpacked elsewhere, and served from, with no other Java. */
class BundleProcessTest {

  @TempDir private Path directory;

  @Test
  void shouldServeFromWhereItWasUnpacked() throws Exception {
    Path parts = directory.resolve("parts");
    StringWriter said = new StringWriter();
    int status =
        new CommandLine(new BundleCommand())
            .setOut(new PrintWriter(said))
            .setErr(new PrintWriter(said))
            .execute("--out", parts.toString(), "--parts", "20M", "--home", "..");
    assertThat(status).as(said.toString()).isZero();
    Process unpack =
        new ProcessBuilder(parts.resolve("unpack.sh").toString(), directory.toString())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertThat(unpack.waitFor()).isZero();
    Path root;
    try (Stream<Path> unpacked = Files.list(directory)) {
      root = unpacked.filter(p -> p.toString().contains("conveyor-")).findFirst().orElseThrow();
    }

    assertThat(lines(start(root, "bundle", "--check")))
        .anyMatch(line -> line.startsWith("java") && line.contains(root + "/runtime"))
        .anyMatch(line -> line.startsWith("ONNX Runtime") && line.contains("CPUExecutionProvider"))
        .anyMatch(line -> line.startsWith("devices") || line.startsWith("GPU 0"));
    serveAndAsk(root);
  }

  private void serveAndAsk(Path root) throws Exception {
    TestModels models = new TestModels(directory.resolve("models"));
    models.identity("echo", 4);
    Path file =
        Files.writeString(
            directory.resolve("server.json"),
            """
            {"model_repository": "%s", "http": {"port": 0}, "grpc": {"port": 0},
             "metrics": {"port": 0}}
            """
                .formatted(models.root()));
    Process server = start(root, "serve", file.toString());
    try (BufferedReader out = server.inputReader()) {
      int port = 0;
      List<String> lines = new ArrayList<>();
      Answer answer = null;
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        lines.add(line);
        Matcher http = Pattern.compile("http +http://[^:]+:(\\d+).*").matcher(line);
        if (http.matches()) {
          port = Integer.parseInt(http.group(1));
        }
        if (line.startsWith("ready")) {
          answer =
              new HttpCalls(port, HttpClient.Version.HTTP_1_1)
                  .infer("echo", Requests.row(1, 2, 3, 4), new byte[0]);
          server.toHandle().destroy();
        }
      }
      assertThat(answer).as(String.join("\n", lines)).isNotNull();
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    } finally {
      server.destroyForcibly();
    }
    assertThat(server.waitFor()).isZero();
  }

  /** With the tools of the system on its path, and no Java. */
  private Process start(Path root, String script, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add("/bin/bash");
    command.add(root.resolve("scripts").resolve(script).toString());
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(directory.resolve("errors").toFile());
    builder.environment().clear();
    builder.environment().put("PATH", toolsWithoutJava().toString());
    builder.environment().put("HOME", directory.toString());
    return builder.start();
  }

  private Path toolsWithoutJava() throws IOException {
    Path tools = directory.resolve("tools");
    if (!Files.exists(tools)) {
      Files.createDirectory(tools);
      for (String tool : List.of("dirname", "basename", "sed", "head", "touch", "mv")) {
        Path found =
            Stream.of("/usr/bin", "/bin")
                .map(bin -> Path.of(bin, tool))
                .filter(Files::exists)
                .findFirst()
                .orElseThrow();
        Files.createSymbolicLink(tools.resolve(tool), found);
      }
    }
    return tools;
  }

  private static List<String> lines(Process process) throws Exception {
    try (BufferedReader out = process.inputReader()) {
      List<String> lines = out.lines().toList();
      assertThat(process.waitFor()).isZero();
      return lines;
    }
  }
}
