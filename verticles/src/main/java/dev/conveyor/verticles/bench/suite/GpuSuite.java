package dev.conveyor.verticles.bench.suite;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What the GPU path must show: on the simulated device wherever there is a C compiler, and on a
 * real one, by {@code gpu-check}, where there is one.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class GpuSuite implements Suite {

  private final Lab lab;
  private final GpuChecks checks;

  GpuSuite(Lab lab) {
    this(lab, new GpuChecks(lab, List.of()));
  }

  GpuSuite(Lab lab, GpuChecks checks) {
    this.lab = lab;
    this.checks = checks;
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(SimulatedDeviceRows.rows());
    rows.add(
        new SuiteRow(
            "GPU, ResNet-50-shaped model, FP16: server throughput / bare TensorRT loop, same batch",
            Target.atLeast(0.97, ""),
            () -> checks.number("resnet50-server", "share_of_bare", 1)));
    rows.add(
        new SuiteRow(
            "GPU, the same: utilisation under load (NVML)",
            Target.atLeast(95, "%"),
            () -> checks.number("resnet50-fp16", "utilization", 100)));
    rows.add(
        new SuiteRow(
            "GPU, the same: FP16 against FP32, worst relative output difference",
            Target.atMost(0.01, ""),
            () -> checks.number("resnet50-fp16", "worst_relative_difference", 1)));
    for (String precision : List.of("FP16", "INT8")) {
      String check = "resnet50-" + precision.toLowerCase(Locale.ROOT);
      rows.add(
          new SuiteRow(
              "GPU, the same: %s / FP32 throughput of the engine".formatted(precision),
              Target.atLeast(1, ""),
              () -> checks.number(check, "speed_up_over_fp32", 1)));
    }
    rows.add(
        new SuiteRow(
            "GPU, the same, photos over HTTP: server rate / offline rate",
            Target.atLeast(0.92, ""),
            () -> checks.number("resnet50-http", "share_of_offline", 1)));
    rows.add(
        new SuiteRow(
            "GPU, the same, photos over HTTP: p99 at 70 % of that, Poisson, objective 15 ms",
            Target.atMost(15, "ms"), () -> checks.number("resnet50-http", "p99_ms_at_load", 1)));
    return rows;
  }

  @Override
  public void close() {
    lab.close();
  }
}
