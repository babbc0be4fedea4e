package dev.conveyor.verticles.cli.optimize;

import dev.conveyor.models.optimize.OptimizeOptions;
import dev.conveyor.models.optimize.VariantKind;
import dev.conveyor.models.optimize.quantize.Calibration;
import dev.conveyor.models.optimize.quantize.Target;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which variants of a model to make, and how to judge them. Not thread-safe: one command line. */
public final class VariantOptions {

  @Option(
      names = "--variants",
      split = ",",
      paramLabel = "NAME",
      defaultValue = "int8,fp16",
      description =
          "fp16, fp16-io, bf16, int8, int8-dynamic, int8-weights, sparse-2:4, unstructured:SHARE,"
              + " channels:SHARE. Default: ${DEFAULT-VALUE}.")
  private List<String> variants = List.of();

  @Option(
      names = "--for",
      defaultValue = "cpu",
      description = "Integer kernels to write for: ${COMPLETION-CANDIDATES}. Default: cpu.")
  private Target target = Target.CPU;

  @Option(
      names = "--calibration",
      description = "${COMPLETION-CANDIDATES}. Default: whichever loses least.")
  private @Nullable Calibration calibration;

  @Option(
      names = "--calibration-items",
      paramLabel = "N",
      defaultValue = "200",
      description = "So much of the data calibrates, the rest evaluates. Default: 200.")
  private int calibrationItems = 200;

  @Option(
      names = "--max-drop",
      paramLabel = "POINTS",
      defaultValue = "0.5",
      description = "Most points of accuracy that a variant may lose. Default: 0.5.")
  private double maxDrop = 0.5;

  @Option(
      names = "--max-difference",
      paramLabel = "X",
      defaultValue = "0.01",
      description =
          "Most that an output in FP16 may differ, as a part of the largest. Default: 0.01.")
  private double maxDifference = 0.01;

  @Option(
      names = "--min-score",
      paramLabel = "X",
      defaultValue = "0.5",
      description = "From this score on what a detector finds counts, without truth. Default: 0.5.")
  private double minScore = 0.5;

  @Option(
      names = "--min-speed-up",
      paramLabel = "X",
      defaultValue = "1.0",
      description = "Least speed-up of a variant made for speed on this CPU. Default: 1.0.")
  private double minSpeedUp = 1;

  @Option(
      names = "--keep-float",
      split = ",",
      paramLabel = "NAME",
      description = "Nodes or operators to leave as they are.")
  private List<String> keepFloat = List.of();

  @Option(
      names = "--threads",
      paramLabel = "N",
      defaultValue = "1",
      description = "Threads of a run. Default: 1.")
  private int threads = 1;

  @Option(
      names = "--batch",
      split = ",",
      paramLabel = "N",
      defaultValue = "1,8",
      description = "Batch sizes to measure. Default: 1,8.")
  private List<Integer> batches = List.of();

  @Option(
      names = "--duration",
      paramLabel = "SECONDS",
      defaultValue = "3",
      description = "Time to measure at each batch size. Default: 3.")
  private double seconds = 3;

  /**
   * Returns them, checked.
   *
   * @throws dev.conveyor.models.optimize.OptimizeException if one cannot be used
   */
  public OptimizeOptions options() {
    Set<String> excluded = new LinkedHashSet<>(keepFloat);
    return new OptimizeOptions(
        variants.stream().map(VariantKind::parse).toList(),
        target,
        Optional.ofNullable(calibration),
        calibrationItems,
        maxDrop,
        maxDifference,
        minScore,
        minSpeedUp,
        excluded,
        threads,
        batches,
        Duration.ofMillis(Math.round(seconds * 1000)));
  }
}
