package dev.conveyor.verticles.cli.bundle;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The libraries of NVIDIA that a server uses on a GPU: which files of a directory or jar they are,
 * and what they are to be called. Stateless.
 */
final class NativeLibraries {

  private static final Pattern LIBRARY = Pattern.compile("lib[\\w.+-]+?\\.so(\\.\\d+)*");

  /** In a version with a number of its own, for example {@code libcudart.so.13}. */
  private static final Pattern WANTED =
      Pattern.compile(
          "lib(cudart|cublas|cublasLt|cudnn(_\\w+)?|cufft|nvrtc(-builtins)?|nvJitLink|nvjpeg"
              + "|nvinfer|nvinfer_plugin|nvinfer_builder_resource\\w*|nvonnxparser)\\.so(\\.\\d+)+");

  private static final Pattern SONAME = Pattern.compile(".*\\.so\\.\\d+");

  /** TensorRT has one library of kernels to build with per architecture. */
  private static final Pattern OF_ARCHITECTURE =
      Pattern.compile("libnvinfer_builder_resource_sm(\\d+)\\..*");

  private NativeLibraries() {}

  static boolean isLibrary(String fileName) {
    return LIBRARY.matcher(fileName).matches();
  }

  /** Returns whether a server uses a library on a device of {@code sm}, 0 for any. */
  static boolean isWanted(String fileName, int sm) {
    Matcher architecture = OF_ARCHITECTURE.matcher(fileName);
    if (sm != 0 && architecture.matches()) {
      return Integer.parseInt(architecture.group(1)) == sm;
    }
    return WANTED.matcher(fileName).matches();
  }

  /**
   * Copies the libraries of a directory, or of a jar at any depth, into {@code target}. A library
   * that has several names gets the one that programs are linked to.
   *
   * @return the copies
   */
  static List<Path> copy(Path source, Path target, int sm) throws IOException {
    if (Files.isDirectory(source)) {
      return copyAll(source, target, sm);
    }
    try (FileSystem jar = FileSystems.newFileSystem(source)) {
      return copyAll(jar.getPath("/"), target, sm);
    }
  }

  private static List<Path> copyAll(Path root, Path target, int sm) throws IOException {
    Map<Path, Path> byFile = new LinkedHashMap<>();
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.sorted().toList()) {
        if (Files.isRegularFile(file) && isWanted(String.valueOf(file.getFileName()), sm)) {
          byFile.merge(file.toRealPath(), file, NativeLibraries::better);
        }
      }
    }
    Files.createDirectories(target);
    for (Path file : byFile.values()) {
      Path copy = target.resolve(String.valueOf(file.getFileName()));
      try (InputStream in = Files.newInputStream(file)) {
        Files.copy(in, copy);
      }
    }
    return byFile.values().stream()
        .map(file -> target.resolve(String.valueOf(file.getFileName())))
        .toList();
  }

  private static Path better(Path one, Path other) {
    return SONAME.matcher(String.valueOf(other.getFileName())).matches() ? other : one;
  }
}
