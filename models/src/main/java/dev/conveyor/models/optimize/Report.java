package dev.conveyor.models.optimize;

import dev.conveyor.models.optimize.evaluate.Scores;
import dev.conveyor.models.optimize.evaluate.Speed;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What an optimisation, or a comparison, came to.
 *
 * @param model its file
 * @param bytes of the original
 * @param scores of the original
 * @param speed of the original at each batch size
 * @param data what was evaluated with, in words
 * @param threads that the timed runs had
 * @param preparation what was done to the graph before anything else
 */
public record Report(
    String model,
    long bytes,
    Scores scores,
    List<Speed.Point> speed,
    String data,
    int threads,
    List<String> preparation,
    List<VariantReport> variants) {

  public Report {
    speed = List.copyOf(speed);
    preparation = List.copyOf(preparation);
    variants = List.copyOf(variants);
  }

  /**
   * Returns the variant to serve: of those that pass, and take what the original takes, the
   * fastest.
   */
  public Optional<VariantReport> best() {
    return variants.stream()
        .filter(v -> v.passes() && !v.name().equals("fp16-io"))
        .max(
            Comparator.comparingDouble(VariantReport::bestSpeedUp)
                .thenComparingDouble(v -> -v.sizeRatio()));
  }

  /** Returns the variant of a name. */
  public Optional<VariantReport> variant(String name) {
    return variants.stream().filter(v -> v.name().equals(name)).findFirst();
  }
}
