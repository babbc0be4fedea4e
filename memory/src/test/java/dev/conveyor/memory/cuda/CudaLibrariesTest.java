package dev.conveyor.memory.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

class CudaLibrariesTest {

  /** In a process of its own, because this one may have the simulated device loaded. */
  @Test
  void shouldSayInOneLineThatThereIsNoDriver() throws Exception {
    Assumptions.assumeFalse(
        Files.exists(Path.of("/proc/driver/nvidia/version")), "this machine has a driver");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                NoDriverProbe.class.getName())
            .redirectError(ProcessBuilder.Redirect.DISCARD) // A newer JDK warns of native access.
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isZero();
    assertThat(output.strip()).isEqualTo("none: no NVIDIA driver (libcuda.so.1 was not found)");
  }
}
