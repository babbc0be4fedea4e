package dev.conveyor.verticles.cli.bundle;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/**
 * Puts the directory of a bundle together: a Java runtime, the jars, native libraries, and the
 * launchers, which see that they are in a bundle and use what is beside them.
 *
 * <p>Not thread-safe: owned by the command that makes a bundle.
 */
final class BundleBuilder {

  /** The names of the jars, in the order of the class path. */
  static final String CLASS_PATH = "classpath";

  private static final List<String> MODULES =
      List.of(
          "java.se",
          "jdk.crypto.ec",
          "jdk.jfr",
          "jdk.management",
          "jdk.naming.dns",
          "jdk.net",
          "jdk.unsupported",
          "jdk.zipfs");

  private static final String CUDA_PROVIDER = "libonnxruntime_providers_cuda.so";

  private final Path home;
  private final Path root;
  private final NativeSlimmer slimmer;
  private final boolean gpu;

  /**
   * Creates a builder.
   *
   * @param home the product's own files
   * @param root directory to fill, which is there and empty
   * @param gpu whether to take along what a GPU needs
   */
  BundleBuilder(Path home, Path root, NativeSlimmer slimmer, boolean gpu) {
    this.home = home;
    this.root = root;
    this.slimmer = slimmer;
    this.gpu = gpu;
  }

  /**
   * Builds.
   *
   * @param classPath jars, and directories of classes, in their order
   * @param libraries directories or jars with NVIDIA's libraries
   * @param sm compute capability to keep, 10 * major + minor; 0 keeps all
   * @throws BundleException if a part is not there
   */
  void build(List<Path> classPath, List<Path> libraries, int sm) throws IOException {
    linkRuntime();
    copyJars(classPath);
    for (Path source : libraries) {
      List<Path> copies = NativeLibraries.copy(source, root.resolve("native"), sm);
      if (copies.isEmpty()) {
        throw new BundleException(
            "--libraries %s: expected libraries of CUDA, cuDNN or TensorRT, found none"
                .formatted(source));
      }
      for (Path copy : copies) {
        slimmer.slim(copy);
      }
    }
    copyTree("conf");
    copyTree("docs");
    copyTree("scripts");
    Files.copy(home.resolve("README.md"), root.resolve("README.md"));
  }

  private void linkRuntime() {
    ToolProvider jlink =
        ToolProvider.findFirst("jlink")
            .orElseThrow(
                () ->
                    new BundleException(
                        "expected a JDK with jlink, found %s without"
                            .formatted(System.getProperty("java.home"))));
    StringWriter said = new StringWriter();
    PrintWriter out = new PrintWriter(said);
    int status =
        jlink.run(
            out,
            out,
            "--add-modules",
            String.join(",", MODULES),
            "--no-header-files",
            "--no-man-pages",
            "--output",
            root.resolve("runtime").toString());
    if (status != 0) {
      throw new BundleException("jlink: " + said.toString().strip());
    }
  }

  private void copyJars(List<Path> classPath) throws IOException {
    Path lib = Files.createDirectories(root.resolve("lib"));
    List<String> names = new ArrayList<>();
    for (Path element : classPath) {
      if (Files.isDirectory(element)) {
        String name = "classes-%d.jar".formatted(names.size());
        NativeSlimmer.packJar(element, lib.resolve(name));
        names.add(name);
      } else if (Files.isRegularFile(element)) {
        String name = String.valueOf(element.getFileName());
        slimmer.copyJar(element, lib.resolve(name), entry -> !gpu && entry.endsWith(CUDA_PROVIDER));
        names.add(name);
      } else {
        throw new BundleException("class path: expected a jar or a directory, found " + element);
      }
    }
    Files.write(lib.resolve(CLASS_PATH), names);
  }

  private void copyTree(String directory) throws IOException {
    Path from = home.resolve(directory);
    List<Path> sources;
    try (Stream<Path> walk = Files.walk(from)) {
      sources = walk.filter(path -> !path.toString().contains("__pycache__")).toList();
    }
    for (Path source : sources) {
      Path target = root.resolve(home.relativize(source).toString());
      if (Files.isDirectory(source)) {
        Files.createDirectories(target);
      } else {
        Files.copy(source, target, StandardCopyOption.COPY_ATTRIBUTES);
      }
    }
  }
}
