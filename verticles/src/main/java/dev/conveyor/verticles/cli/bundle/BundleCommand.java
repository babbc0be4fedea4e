package dev.conveyor.verticles.cli.bundle;

import dev.conveyor.verticles.ServerInfo;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The command {@code bundle}. Not thread-safe: one object, one run.
 *
 * <p>Exit codes: 0 if it was packed, or looked around; 1 if it cannot be; 2 for a wrong command
 * line.
 */
@Command(
    name = "bundle",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Packs everything a server needs into an archive for machines without a network, or says what"
          + " this machine has (--check).",
      ""
    },
    footer = {
      "",
      "Examples:",
      "  bundle --out /tmp/bundle --parts 60M",
      "  bundle --gpu --sm 90 --libraries /usr/local/cuda/lib64 --libraries cudnn/lib",
      "  bundle --check"
    })
public final class BundleCommand implements Callable<Integer> {

  private static final Pattern SIZE = Pattern.compile("([1-9]\\d{0,9})([KMG]?)");

  @Spec private @Nullable CommandSpec spec;

  @Option(names = "--check", description = "Say what is found on this machine, and pack nothing.")
  private boolean check;

  @Option(
      names = "--sm",
      paramLabel = "N",
      description =
          "Compute capability without the dot, for example 90: device code of other architectures"
              + " is left out. Default: all stay.")
  private @Nullable Integer sm;

  @Option(
      names = "--gpu",
      description = "Take along what a GPU needs: ONNX Runtime's CUDA provider and --libraries.")
  private boolean gpu;

  @Option(
      names = "--libraries",
      paramLabel = "PATH",
      description =
          "With --gpu: a directory or jar with libraries of CUDA, cuDNN or TensorRT. Repeatable.")
  private List<Path> libraries = List.of();

  @Option(
      names = "--parts",
      paramLabel = "SIZE",
      defaultValue = "60M",
      description = "Largest part; K, M or G are powers of 1024. Default: 60M.")
  private String parts = "60M";

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "bundle",
      description = "Directory that gets the parts. Default: bundle.")
  private Path out = Path.of("bundle");

  @Option(
      names = "--home",
      paramLabel = "DIR",
      defaultValue = "${sys:conveyor.home:-.}",
      description = "Where conf/ and scripts/ are. Default: ${DEFAULT-VALUE}.")
  private Path home = Path.of("");

  @Override
  public Integer call() {
    CommandSpec command = Objects.requireNonNull(spec);
    PrintWriter console = command.commandLine().getOut();
    PrintWriter errors = command.commandLine().getErr();
    try {
      if (check) {
        BundleCheck.lines().forEach(console::println);
      } else {
        long partBytes = bytes(parts);
        requireSense();
        pack(partBytes, console);
      }
      return 0;
    } catch (IllegalArgumentException e) {
      errors.println("conveyor: " + e.getMessage());
      return 2;
    } catch (BundleException | IOException e) {
      errors.println("conveyor: " + e.getMessage());
      return 1;
    } finally {
      console.flush();
      errors.flush();
    }
  }

  private void requireSense() {
    if (sm != null && (sm < 50 || sm > 999)) {
      throw new IllegalArgumentException(
          "--sm: expected a compute capability such as 90, found " + sm);
    }
    if (!gpu && !libraries.isEmpty()) {
      throw new IllegalArgumentException("--libraries are for a GPU: add --gpu");
    }
  }

  private void pack(long partBytes, PrintWriter console) throws IOException {
    Path work = Files.createTempDirectory("conveyor-bundle");
    try {
      Path root = Files.createDirectory(work.resolve(name()));
      int keep = sm == null ? 0 : sm;
      NativeSlimmer slimmer = new NativeSlimmer(keep, work);
      new BundleBuilder(home.toAbsolutePath().normalize(), root, slimmer, gpu)
          .build(classPath(), libraries, keep);
      Map<String, String> sums = BundleArchive.pack(root, out, partBytes);
      console.println(summary(slimmer.total(), sums));
    } finally {
      delete(work);
    }
  }

  private String summary(FatBinary.Blanked slimmed, Map<String, String> sums) throws IOException {
    long total = 0;
    for (String part : sums.keySet()) {
      total += Files.size(out.resolve(part));
    }
    String device =
        slimmed.binaries() == 0
            ? ""
            : String.format(
                Locale.ROOT,
                "device code: %.1f of %.1f MiB kept, in %d of %d entries%n",
                mebi(slimmed.payloadBytes() - slimmed.blankedBytes()),
                mebi(slimmed.payloadBytes()),
                slimmed.entries() - slimmed.blanked(),
                slimmed.entries());
    return device
        + String.format(
            Locale.ROOT,
            "%d parts, %.1f MiB, in %s; on the other machine: ./unpack.sh DIRECTORY",
            sums.size(),
            mebi(total),
            out);
  }

  private static double mebi(long bytes) {
    return bytes / (double) (1 << 20);
  }

  private String name() {
    String platform =
        "%s-%s"
            .formatted(System.getProperty("os.name"), System.getProperty("os.arch"))
            .toLowerCase(Locale.ROOT);
    String device = !gpu ? "" : sm == null ? "-gpu" : "-sm" + sm;
    return "%s-%s-%s%s".formatted(ServerInfo.NAME, ServerInfo.VERSION, platform, device);
  }

  private static List<Path> classPath() {
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .map(Path::of)
        .toList();
  }

  static long bytes(String size) {
    Matcher matcher = SIZE.matcher(size);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "--parts: expected a size such as 60M, found \"" + size + "\"");
    }
    return Long.parseLong(matcher.group(1))
        << switch (matcher.group(2)) {
          case "K" -> 10;
          case "M" -> 20;
          case "G" -> 30;
          default -> 0;
        };
  }

  private static void delete(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
