package dev.conveyor.memory.cuda;

import com.sun.jna.NativeLibrary;
import dev.conveyor.memory.Natives;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/**
 * Finds the driver and the CUDA runtime of this machine. Thread-safe: no state.
 *
 * <p>Neither is part of the build: the driver belongs to the system, and the runtime (one small
 * library) to a CUDA toolkit or to NVIDIA's packages. Where one is missing the server runs on the
 * CPU, and a single line says why.
 */
public final class CudaLibraries {

  /**
   * System property: a directory that holds {@code libcudart.so.13}, looked into first; and {@code
   * libcuda.so.1}, as NVIDIA's packages for newer CUDA on older drivers do, if the system has none.
   */
  public static final String PATH_PROPERTY = "conveyor.cuda.path";

  private static final String DRIVER = "libcuda.so.1";

  /** Version of the runtime that the binding is made for, 1000 * major + 10 * minor. */
  private static final int NEEDED = 13_010;

  private static final String RUNTIME = "libcudart.so.13";

  private CudaLibraries() {}

  /**
   * What was found.
   *
   * @param cuda null if this machine has no usable GPU
   * @param reason why not, in one line; empty if it has
   */
  public record Found(@Nullable Cuda cuda, String reason) {}

  /** Looks for a GPU that can be used. Takes under a second; never fails. */
  public static Found find() {
    Natives.ready();
    if (!canLoad(DRIVER) && !loadGivenDriver()) {
      return none("no NVIDIA driver (" + DRIVER + " was not found)");
    }
    if (!load(RUNTIME, "")) {
      return none(
          "a driver, but no CUDA 13 runtime (%s was not found on the library path, in CUDA_HOME or in /usr/local/cuda*; -D%s=DIRECTORY names another place)"
              .formatted(RUNTIME, PATH_PROPERTY));
    }
    try {
      String unused = Loader.load(org.bytedeco.cuda.global.cudart.class);
      Cuda cuda = new CudaRuntime();
      int driver = cuda.driverVersion();
      if (driver < NEEDED / 1000 * 1000) {
        return none(
            "the driver is too old: it is for CUDA %d.%d, CUDA %d.0 or newer is needed"
                .formatted(driver / 1000, driver % 1000 / 10, NEEDED / 1000));
      }
      return cuda.deviceCount() > 0 ? new Found(cuda, "") : none("the driver shows no device");
    } catch (CudaException e) {
      return none("the driver cannot be used: " + e.getMessage());
    } catch (LinkageError e) {
      return none("the CUDA binding cannot be loaded: " + e.getMessage());
    }
  }

  private static Found none(String reason) {
    return new Found(null, reason);
  }

  /**
   * Loads another library of the toolkit, from where the runtime is looked for.
   *
   * @param opened glob of libraries beside it that it opens by their names when it is used; empty
   *     for none
   * @return why it cannot be, in one line; empty if it is loaded
   */
  static String loadTool(String library, String opened) {
    return load(library, opened)
        ? ""
        : "%s was not found on the library path, in CUDA_HOME or in /usr/local/cuda*, or does not load"
            .formatted(library);
  }

  private static boolean load(String library, String opened) {
    for (Path directory : directories(library)) {
      Path file = directory.resolve(library);
      if (Files.exists(file)) {
        try {
          loadAll(directory, opened);
          System.load(file.toAbsolutePath().toString());
          return true;
        } catch (IOException | UncheckedIOException | UnsatisfiedLinkError e) {
          // Of another architecture, for example: the next place may have a better one.
        }
      }
    }
    return canLoad(library);
  }

  /** A library that is loaded by its path does not find its neighbours: unless they are there. */
  private static void loadAll(Path directory, String glob) throws IOException {
    if (!glob.isEmpty()) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, glob)) {
        files.forEach(file -> System.load(file.toAbsolutePath().toString()));
      }
    }
  }

  private static boolean loadGivenDriver() {
    String given = System.getProperty(PATH_PROPERTY);
    if (given == null || !Files.exists(Path.of(given, DRIVER))) {
      return false;
    }
    try {
      System.load(Path.of(given, DRIVER).toAbsolutePath().toString());
      return true;
    } catch (UnsatisfiedLinkError e) {
      return false;
    }
  }

  private static List<Path> directories(String library) {
    List<Path> directories = new ArrayList<>();
    String given = System.getProperty(PATH_PROPERTY);
    if (given != null) {
      directories.add(Path.of(given));
      if (Files.exists(Path.of(given, library))) {
        return directories; // To ask the system for its own would open that one first.
      }
    }
    if (canLoad(library)) {
      return directories; // The system knows where it is.
    }
    String home = System.getenv("CUDA_HOME");
    if (home != null) {
      directories.add(Path.of(home, "lib64"));
    }
    try (DirectoryStream<Path> toolkits =
        Files.newDirectoryStream(Path.of("/usr/local"), "cuda*")) {
      toolkits.forEach(toolkit -> directories.add(toolkit.resolve("lib64")));
    } catch (IOException | UncheckedIOException e) {
      return directories;
    }
    return directories;
  }

  @SuppressWarnings("resource") // Closing it would unload the library.
  private static boolean canLoad(String library) {
    try {
      NativeLibrary unused = NativeLibrary.getInstance(library);
      return true;
    } catch (UnsatisfiedLinkError e) {
      return false;
    }
  }
}
