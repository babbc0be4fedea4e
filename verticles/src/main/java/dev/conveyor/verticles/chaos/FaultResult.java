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
 * @param fault its label, or that of a mix
 * @param ownErrors requests that were told what is wrong with them
 * @param refused requests that were told to come again while the model could be away
 * @param wrong also those that failed before or after it
 * @param othersFailed requests to models without a fault that were not answered right
 * @param skipped requests that were due and not sent, because too many were under way
 * @param surprises model, status and message of the first answers that were wrong or lost
 */
public record FaultResult(
    String fault,
    long sent,
    long right,
    long ownErrors,
    long refused,
    long wrong,
    long lost,
    long othersFailed,
    long skipped,
    Course course,
    Felt felt,
    List<String> surprises) {

  /**
   * How it went.
   *
   * @param injected how many faults that were
   * @param overlapping how many of them began while another one lasted
   * @param detectMs from the injection to the decision of the server; -1 if none was needed,
   *     infinite if none came
   * @param recoverMs from the injection until the model answered again, infinite if it did not
   */
  public record Course(int injected, int overlapping, double detectMs, double recoverMs) {}

  /**
   * What the models without a fault felt, and what the client did to itself.
   *
   * @param p99BeforeMs 99th percentile of latencies without the fault
   * @param p99DuringMs the same with it
   * @param stallBeforeMs 99th percentile of how late the client's own event loop was without it
   * @param stallDuringMs the same with it
   */
  public record Felt(
      double p99BeforeMs, double p99DuringMs, double stallBeforeMs, double stallDuringMs) {

    /** Returns by how much it was felt: 1 is not at all. */
    public double ratio() {
      return p99DuringMs / p99BeforeMs;
    }
  }

  public FaultResult {
    surprises = List.copyOf(surprises);
  }

  /**
   * Sums up.
   *
   * @param between what is neither before nor during: nothing may fail there
   */
  static FaultResult of(String fault, Tally before, Tally during, Tally between, Course course) {
    List<String> surprises = new ArrayList<>(during.surprises());
    before.surprises().forEach(surprise -> surprises.add("without it: " + surprise));
    between.surprises().forEach(surprise -> surprises.add("around it: " + surprise));
    return new FaultResult(
        fault,
        during.sent(),
        during.get(Outcome.RIGHT),
        during.get(Outcome.OWN_ERROR),
        during.get(Outcome.REFUSED),
        sum(Outcome.WRONG, before, during, between),
        sum(Outcome.LOST, before, during, between),
        before.othersFailed() + during.othersFailed() + between.othersFailed(),
        during.skipped(),
        course,
        new Felt(
            before.untouchedP99Ms(),
            during.untouchedP99Ms(),
            before.stalledP99Ms(),
            during.stalledP99Ms()),
        surprises);
  }

  private static long sum(Outcome outcome, Tally... tallies) {
    long sum = 0;
    for (Tally tally : tallies) {
      sum += tally.get(outcome);
    }
    return sum;
  }

  /**
   * Returns true if nothing was wrong, nothing lost, no other model noticed an error, and the
   * server noticed what it had to and was well again.
   */
  public boolean holds() {
    return wrong == 0
        && lost == 0
        && othersFailed == 0
        && Double.isFinite(course.detectMs)
        && Double.isFinite(course.recoverMs);
  }

  List<String> cells() {
    return List.of(
        fault,
        Long.toString(sent),
        Long.toString(right),
        Long.toString(ownErrors),
        Long.toString(refused),
        Long.toString(wrong),
        Long.toString(lost),
        Long.toString(othersFailed),
        Long.toString(skipped),
        ms(course.detectMs),
        ms(course.recoverMs),
        ms(felt.p99BeforeMs),
        ms(felt.p99DuringMs),
        ms(felt.stallBeforeMs),
        ms(felt.stallDuringMs));
  }

  JsonObject json() {
    return new JsonObject()
        .put("fault", fault)
        .put("injected", course.injected)
        .put("overlapping", course.overlapping)
        .put("sent", sent)
        .put("right", right)
        .put("own_errors", ownErrors)
        .put("refused", refused)
        .put("wrong", wrong)
        .put("lost", lost)
        .put("others_failed", othersFailed)
        .put("skipped", skipped)
        .put("detect_ms", finite(course.detectMs))
        .put("recover_ms", finite(course.recoverMs))
        .put("untouched_p99_before_ms", felt.p99BeforeMs)
        .put("untouched_p99_during_ms", felt.p99DuringMs)
        .put("client_stall_p99_before_ms", felt.stallBeforeMs)
        .put("client_stall_p99_during_ms", felt.stallDuringMs)
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
