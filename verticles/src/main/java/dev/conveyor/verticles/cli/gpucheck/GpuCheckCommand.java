package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.SimulatorUnavailableException;
import dev.conveyor.models.device.sim.HostJpegs;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Checks a GPU and everything here that runs on one. Thread-confined: one object, one run.
 *
 * <p>Exit codes: 0 if nothing that could be tried failed, 1 if something did, 2 without a GPU or
 * for a wrong command line.
 */
@Command(
    name = "gpu-check",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Checks on this machine's GPU what cannot be checked without one: streams, pools, copies,"
          + " graphs, ONNX Runtime, TensorRT, a server; each in a process of its own.",
      ""
    },
    footer = {
      "",
      "Exit codes: 0 nothing failed (what was skipped says why), 1 something failed, 2 there is no"
          + " GPU.",
      "",
      "Examples:",
      "  gpu-check --out results",
      "  gpu-check --only streams,pools,tensorrt-fp16",
      "  gpu-check --list"
    })
public final class GpuCheckCommand implements Callable<Integer> {

  private static final int OK = 0;
  private static final int FAILED = 1;
  private static final int NO_GPU = 2;

  /** Of the simulated device: 20 GB/s each way, and a little time for every call. */
  private static final String SIMULATED =
      "devices=1 to_device_mb_s=20000 to_host_mb_s=20000 call_ns=500 device_bytes=2147483648";

  @Spec private @Nullable CommandSpec spec;

  @Option(names = "--list", description = "List the checks and run none.")
  private boolean list;

  @Option(
      names = "--only",
      paramLabel = "NAME",
      split = ",",
      description = "Run these only. Default: all.")
  private List<String> only = List.of();

  @Option(
      names = "--device",
      paramLabel = "N",
      description = "CUDA's number of the GPU. Default: the first that can be used.")
  private @Nullable Integer device;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "gpu-check",
      description =
          "Directory for gpu-check.json, gpu-check.md and a log of each check. Default: gpu-check.")
  private Path out = Path.of("gpu-check");

  @Option(
      names = "--simulated",
      description =
          "Check the simulated device instead: says nothing of hardware, only that the checks run.")
  private boolean simulated;

  @Option(
      names = "--home",
      paramLabel = "DIR",
      defaultValue = "${sys:conveyor.home:-.}",
      description = "Where conf/ is. Default: ${DEFAULT-VALUE}.")
  private Path home = Path.of("");

  @Option(names = "--run", hidden = true, description = "The check to run in this process.")
  private @Nullable String run;

  @Option(names = "--result", hidden = true, description = "File for what was found.")
  private @Nullable Path result;

  private final List<Check> checks;
  private final String mainClass;

  public GpuCheckCommand() {
    this(Checks.all(), "dev.conveyor.verticles.cli.Main");
  }

  /** Makes a command of other checks, whose processes run another main class. */
  GpuCheckCommand(List<Check> checks, String mainClass) {
    this.checks = checks;
    this.mainClass = mainClass;
  }

  @Override
  public Integer call() throws Exception {
    PrintWriter console = Objects.requireNonNull(spec).commandLine().getOut();
    PrintWriter errors = Objects.requireNonNull(spec).commandLine().getErr();
    try {
      if (run != null && result != null) {
        return runHere(run, result);
      }
      if (list) {
        checks.forEach(c -> console.println("%-20s %s".formatted(c.name(), c.what())));
        return OK;
      }
      return runAll(console, errors);
    } finally {
      console.flush();
      errors.flush();
    }
  }

  /** The device is looked for in this process too, and not used: that is for the checks. */
  private int runAll(PrintWriter console, PrintWriter errors)
      throws IOException, InterruptedException {
    List<Check> wanted = wanted(errors);
    if (wanted.isEmpty()) {
      return NO_GPU;
    }
    Gpus gpus;
    try {
      gpus = find();
    } catch (SimulatorUnavailableException e) {
      errors.println("conveyor: " + e.getMessage());
      return NO_GPU;
    }
    Gpu gpu = chosen(gpus);
    if (gpu == null) {
      errors.println(
          "conveyor: no GPU to check: "
              + (gpus.usable().isEmpty()
                  ? String.join("; ", gpus.notes())
                  : "there is no GPU %d, only %s"
                      .formatted(device, gpus.usable().stream().map(Gpu::ordinal).toList())));
      return NO_GPU;
    }
    Files.createDirectories(out);
    String name = (simulated ? "simulated device: " : "") + gpu.name();
    console.println(name + ", " + wanted.size() + " checks, logs in " + out);
    CheckProcess processes = new CheckProcess(mainClass, options(gpu), out.toAbsolutePath());
    List<CheckResult> results = new ArrayList<>();
    for (Check check : wanted) {
      long beginNs = System.nanoTime();
      Finding finding = processes.run(check.name(), check.limit());
      double seconds = (System.nanoTime() - beginNs) / 1e9;
      CheckResult checked = new CheckResult(check.name(), check.what(), finding, seconds);
      results.add(checked);
      console.println(CheckReport.line(checked));
      console.flush();
      // After every check: whatever ends this process leaves what was found so far.
      write(new CheckReport(name, results));
    }
    CheckReport report = new CheckReport(name, results);
    console.println(report.summary());
    return report.holds() ? OK : FAILED;
  }

  private void write(CheckReport report) throws IOException {
    Files.writeString(out.resolve("gpu-check.json"), report.toJson().encodePrettily() + "\n");
    Files.writeString(out.resolve("gpu-check.md"), report.toMarkdown());
  }

  private List<Check> wanted(PrintWriter errors) {
    for (String name : only) {
      if (checks.stream().noneMatch(check -> check.name().equals(name))) {
        errors.println(
            "conveyor: --only: there is no check '%s', only %s"
                .formatted(name, checks.stream().map(Check::name).toList()));
        return List.of();
      }
    }
    return checks.stream().filter(c -> only.isEmpty() || only.contains(c.name())).toList();
  }

  private List<String> options(Gpu gpu) {
    List<String> options = new ArrayList<>();
    options.addAll(List.of("--device", Integer.toString(gpu.ordinal())));
    options.addAll(List.of("--home", home.toAbsolutePath().toString()));
    if (simulated) {
      options.add("--simulated");
    }
    return options;
  }

  private Gpus find() {
    if (simulated) {
      CudaSimulator simulator = CudaSimulator.start();
      simulator.reset(SIMULATED);
      simulator.decodeJpegs(new HostJpegs());
    }
    return Gpus.find(0);
  }

  private @Nullable Gpu chosen(Gpus gpus) {
    for (Gpu gpu : gpus.usable()) {
      if (device == null || device == gpu.ordinal()) {
        return gpu;
      }
    }
    return null;
  }

  private int runHere(String name, Path file) throws IOException {
    Check check =
        checks.stream()
            .filter(each -> each.name().equals(name))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no check '" + name + "'"));
    Path scratch = Files.createTempDirectory("gpu-check");
    Finding finding;
    try {
      finding = runHere(check, scratch, file.toAbsolutePath().resolveSibling(""));
    } finally {
      delete(scratch);
    }
    Files.writeString(file, finding.toJson().encode());
    return finding.outcome().isBad() ? FAILED : OK;
  }

  private Finding runHere(Check check, Path scratch, Path keep) {
    Gpus gpus = find();
    Gpu gpu = chosen(gpus);
    Cuda cuda = gpus.cuda();
    if (gpu == null || cuda == null) {
      return Finding.failed("", "the GPU is gone: " + String.join("; ", gpus.notes()));
    }
    try (CheckSite site = new CheckSite(gpus, cuda, gpu, home, scratch, keep)) {
      return check.run(site);
    } catch (Exception | LinkageError e) {
      e.printStackTrace(); // To the log of the check.
      return Finding.failed("", e.toString());
    }
  }

  private static void delete(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
