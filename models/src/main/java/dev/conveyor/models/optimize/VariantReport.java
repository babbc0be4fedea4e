package dev.conveyor.models.optimize;

import dev.conveyor.models.optimize.evaluate.Scores;
import dev.conveyor.models.optimize.evaluate.Speed;
import java.util.List;

/**
 * What a variant gained and lost.
 *
 * @param sizeRatio bytes by those of the original
 * @param drop points of accuracy lost; negative if gained
 * @param speed at each batch size
 * @param failures why it is not good enough; empty if it is
 * @param notes what was done and what was left alone
 */
@SuppressWarnings("ArrayRecordComponent") // Large, handed on, never compared.
public record VariantReport(
    String name,
    byte[] model,
    double sizeRatio,
    Scores scores,
    double drop,
    List<Speed.Point> speed,
    List<String> failures,
    List<String> notes) {

  public VariantReport {
    speed = List.copyOf(speed);
    failures = List.copyOf(failures);
    notes = List.copyOf(notes);
  }

  public boolean passes() {
    return failures.isEmpty();
  }

  /** Returns the largest speed-up at any batch size. */
  public double bestSpeedUp() {
    return speed.stream().mapToDouble(Speed.Point::speedUp).max().orElse(1);
  }
}
