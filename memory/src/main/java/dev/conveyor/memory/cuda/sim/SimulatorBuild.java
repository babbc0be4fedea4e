package dev.conveyor.memory.cuda.sim;

import dev.conveyor.memory.cuda.CudaLibraries;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Builds the simulated runtime. Thread-safe: no state. */
final class SimulatorBuild {

  static final List<String> LIBRARIES =
      List.of("libcuda.so.1", "libnvidia-ml.so.1", "libcudart.so.13");

  /** Loaded after the others, and found by their names from then on. */
  static final List<String> TOOLKIT = List.of("libnvrtc.so.13", "libnvjpeg.so.13");

  /** Files beside the libraries that tell processes which find them what to do. */
  static final String SETTINGS = "settings";

  static final String FAULT = "fault";

  private SimulatorBuild() {}

  /** Returns where the process that has started this one has built it; null if it has not. */
  static @Nullable Path inherited() {
    String given = System.getProperty(CudaLibraries.PATH_PROPERTY);
    return given != null && Files.exists(Path.of(given, SETTINGS)) ? Path.of(given) : null;
  }

  /**
   * Runs the build into a new directory, which goes when the JVM ends. Takes seconds.
   *
   * @throws SimulatorUnavailableException if there is no compiler or no source
   */
  static Path build() {
    Path script = script();
    try {
      Path directory = Files.createTempDirectory("cuda-sim");
      Process process =
          new ProcessBuilder(script.toString(), directory.toString())
              .redirectErrorStream(true)
              .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
              .start();
      String output =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      int status = process.waitFor();
      directory.toFile().deleteOnExit();
      for (String library : LIBRARIES) {
        directory.resolve(library).toFile().deleteOnExit();
      }
      for (String library : TOOLKIT) {
        directory.resolve(library).toFile().deleteOnExit();
      }
      directory.resolve(SETTINGS).toFile().deleteOnExit();
      directory.resolve(FAULT).toFile().deleteOnExit();
      if (status != 0) {
        throw new SimulatorUnavailableException(
            "the simulated device needs gcc to be built: %s ended with %d: %s"
                .formatted(script, status, output));
      }
      return directory;
    } catch (IOException e) {
      throw new SimulatorUnavailableException(script + " cannot be run: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SimulatorUnavailableException("interrupted while " + script + " ran");
    }
  }

  /** Returns the build script below the home of this program, or above where the tests run. */
  private static Path script() {
    Path home = Path.of(System.getProperty("conveyor.home", ".")).toAbsolutePath().normalize();
    for (Path at = home; at != null; at = at.getParent()) {
      Path script = at.resolve("scripts").resolve("cuda-sim").resolve("build");
      if (Files.isExecutable(script)) {
        return script;
      }
    }
    throw new SimulatorUnavailableException("no scripts/cuda-sim/build in or above " + home);
  }
}
