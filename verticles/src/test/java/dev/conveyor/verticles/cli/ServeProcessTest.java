package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The server as a process of its own, which is what a signal ends. */
class ServeProcessTest {

  @Test
  @Timeout(120)
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
    assertThat(lines).anyMatch(line -> line.startsWith("ready    2 models")).endsWith("stopped");
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
