package dev.conveyor.verticles.bench.suite;

import java.util.ArrayList;
import java.util.List;

/**
 * What the GPU path must show: on the simulated device wherever there is a C compiler, and on a
 * real one where there is one.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class GpuSuite implements Suite {

  private static final String NO_GPU =
      "needs a GPU: scripts/gpu-check measures where there is one; see docs/gpu.md";

  private final Lab lab;

  GpuSuite(Lab lab) {
    this.lab = lab;
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(SimulatedDeviceRows.rows());
    rows.add(
        onHardware(
            "GPU, ResNet-50-shaped model: server throughput / bare TensorRT loop, same batch and"
                + " precision",
            Target.atLeast(0.97, "")));
    rows.add(onHardware("GPU: utilisation under load (NVML)", Target.atLeast(95, "%")));
    rows.add(
        onHardware(
            "GPU: FP16 against FP32, worst relative output difference", Target.atMost(0.01, "")));
    rows.add(
        onHardware(
            "GPU: p99 at 70 % load, objective 15 ms, Poisson: server rate / offline rate",
            Target.atLeast(0.92, "")));
    return rows;
  }

  private static SuiteRow onHardware(String figure, Target target) {
    return new SuiteRow(
        figure,
        target,
        () -> {
          throw new CannotMeasureException(NO_GPU);
        });
  }

  @Override
  public void close() {
    lab.close();
  }
}
