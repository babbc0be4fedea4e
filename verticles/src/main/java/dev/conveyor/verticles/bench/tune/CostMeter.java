package dev.conveyor.verticles.bench.tune;

import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.tune.SearchSpace;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior.Costs;
import dev.conveyor.scheduler.simulation.tuning.SimulatedPrior.Kernel;
import dev.conveyor.verticles.bench.direct.BackendModel;
import dev.conveyor.verticles.bench.direct.DirectRunner;
import dev.conveyor.verticles.bench.load.Payloads;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Measures what single batches take, in this process. Stateless; blocks. */
final class CostMeter {

  private static final int WARM_UP_RUNS = 2;
  private static final int LEAST_RUNS = 3;
  private static final int MOST_RUNS = 50;
  private static final long PATIENCE_NS = 150_000_000;
  private static final int SIZE_STEP = 4;

  private CostMeter() {}

  /**
   * Returns the lower quartile of the times of batches of 1, 4, 16 and so on, and of the largest.
   *
   * @param largest 0 or 1 for single items only
   * @throws dev.conveyor.models.backend.ModelLoadException if the kernel cannot run the model
   */
  static Costs measure(Path modelFile, Kernel kernel, int largest) {
    List<Integer> sizes = new ArrayList<>();
    for (int size = 1; size < largest; size *= SIZE_STEP) {
      sizes.add(size);
    }
    sizes.add(Math.max(1, largest));
    List<Double> costs = new ArrayList<>();
    for (int size : sizes) {
      costs.add(usual(modelFile, kernel, size));
    }
    return new Costs(sizes, costs);
  }

  /** Returns the largest batch of a space, for which costs are wanted. */
  static int largest(SearchSpace space, int baseline) {
    return Math.max(
        baseline, space.maxBatchSizes().stream().mapToInt(size -> size).max().orElse(1));
  }

  private static double usual(Path modelFile, Kernel kernel, int size) {
    try (BackendModel model =
            BackendModel.load(
                modelFile,
                "onnxruntime",
                size,
                Payloads.Fill.RANDOM,
                kernel.threads(),
                Map.of(OnnxBackend.PROVIDER_PARAMETER, kernel.provider()));
        DirectRunner runner = model.newRunner()) {
      for (int i = 0; i < WARM_UP_RUNS; i++) {
        runner.run();
      }
      long[] tookNs = new long[MOST_RUNS];
      long beganNs = System.nanoTime();
      int runs = 0;
      while (runs < MOST_RUNS && (runs < LEAST_RUNS || System.nanoTime() - beganNs < PATIENCE_NS)) {
        long startNs = System.nanoTime();
        runner.run();
        tookNs[runs++] = System.nanoTime() - startNs;
      }
      long[] taken = Arrays.copyOf(tookNs, runs);
      Arrays.sort(taken);
      // What else the machine does only ever adds.
      return taken[runs / 4];
    }
  }
}
