package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Answer.Outcome;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What one fault did.
 *
 * @param fault its label, or {@code mix}
 * @param detectMs from the injection to the first decision of the server; -1 if none was needed
 * @param recoverMs from the injection until the model answered again for good; 0 if it never
 *     stopped
 * @param wrong also those that failed after it was over
 * @param othersFailed requests to models without a fault that were not answered right
 * @param surprises model, status and message of the first answers that were wrong or lost
 */
public record FaultResult(
    String fault,
    long sent,
    long right,
    long rightErrors,
    long wrong,
    long lost,
    double detectMs,
    double recoverMs,
    long othersFailed,
    double p99BeforeMs,
    double p99DuringMs,
    List<String> surprises) {

  public FaultResult {
    surprises = List.copyOf(surprises);
  }

  /**
   * Sums up.
   *
   * @param after once it was over: nothing may fail any more
   */
  static FaultResult of(
      String fault, Tally before, Tally during, Tally after, double detectMs, double recoverMs) {
    List<String> surprises = new ArrayList<>(during.surprises());
    after.surprises().forEach(surprise -> surprises.add("after it was over: " + surprise));
    return new FaultResult(
        fault,
        during.sent(),
        during.get(Outcome.RIGHT),
        during.get(Outcome.RIGHT_ERROR),
        during.get(Outcome.WRONG) + after.get(Outcome.WRONG),
        during.get(Outcome.LOST) + after.get(Outcome.LOST),
        detectMs,
        recoverMs,
        during.othersFailed() + after.othersFailed(),
        before.untouchedP99Ms(),
        during.untouchedP99Ms(),
        surprises);
  }

  /** Returns true if nothing was wrong, nothing lost, and no other model noticed an error. */
  public boolean holds() {
    return wrong == 0 && lost == 0 && othersFailed == 0;
  }

  List<String> cells() {
    return List.of(
        fault,
        Long.toString(sent),
        Long.toString(right),
        Long.toString(rightErrors),
        Long.toString(wrong),
        Long.toString(lost),
        Long.toString(othersFailed),
        ms(detectMs),
        ms(recoverMs),
        ms(p99BeforeMs),
        ms(p99DuringMs));
  }

  JsonObject json() {
    return new JsonObject()
        .put("fault", fault)
        .put("sent", sent)
        .put("right", right)
        .put("right_errors", rightErrors)
        .put("wrong", wrong)
        .put("lost", lost)
        .put("others_failed", othersFailed)
        .put("detect_ms", finite(detectMs))
        .put("recover_ms", finite(recoverMs))
        .put("untouched_p99_before_ms", p99BeforeMs)
        .put("untouched_p99_during_ms", p99DuringMs)
        .put("surprises", new JsonArray(surprises));
  }

  /** JSON has no infinity. */
  private static @Nullable Double finite(double value) {
    return Double.isInfinite(value) ? null : Double.valueOf(value);
  }

  private static String ms(double value) {
    return value < 0
        ? "-"
        : Double.isInfinite(value) ? "never" : String.format(Locale.ROOT, "%.1f", value);
  }
}
