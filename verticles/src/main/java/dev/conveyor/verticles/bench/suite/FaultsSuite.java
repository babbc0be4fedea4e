package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.isolation.Bisection;
import dev.conveyor.scheduler.isolation.Bisection.Part;
import dev.conveyor.scheduler.isolation.Bisection.Result;
import dev.conveyor.verticles.chaos.ChaosPlan;
import dev.conveyor.verticles.chaos.ChaosRun;
import dev.conveyor.verticles.chaos.Fault;
import dev.conveyor.verticles.chaos.FaultResult;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * What faults cost those who are not at fault: one run of chaos, and the search for a culprit.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class FaultsSuite implements Suite {

  private static final int BATCH = 32;
  private static final int FACTOR = 12;
  private static final double MOST_FELT = 1.25;

  private final Lab lab;
  private final IsolationRows isolation;
  private ChaosRun.@Nullable Report report;

  FaultsSuite(Lab lab) {
    this.lab = lab;
    this.isolation = new IsolationRows(lab);
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(isolation.rows());
    rows.addAll(chaos());
    return rows;
  }

  private List<SuiteRow> chaos() {
    return List.of(
        new SuiteRow(
            "wrong or lost answers, all faults",
            Target.atMost(0, ""),
            () -> sum(result -> result.wrong() + result.lost())),
        new SuiteRow(
            "failed requests of models without a fault",
            Target.atMost(0, ""),
            () -> sum(FaultResult::othersFailed)),
        new SuiteRow(
            "p99 of models without a fault, during / before, worst fault",
            Target.atMost(MOST_FELT, ""),
            () -> worstTail(true)),
        new SuiteRow(
            "the same, faults of one model or worker only",
            Target.atMost(MOST_FELT, ""),
            () -> worstTail(false)),
        new SuiteRow(
            "one culprit in a batch of 32: extra executions", Target.atMost(10, ""), this::search),
        new SuiteRow(
            "sick instance: model answers again",
            Target.atMost(2500, "ms"),
            () -> again("sickness")),
        new SuiteRow(
            "SIGKILL of a child under load: detected after",
            Target.atMost(50, "ms"),
            () -> detected("sigkill")),
        new SuiteRow(
            "SIGSEGV in a child under load: detected after",
            Target.atMost(50, "ms"),
            () -> detected("sigsegv")),
        new SuiteRow(
            "child crash under load: model answers again",
            Target.atMost(2500, "ms"),
            () -> again("sigkill", "sigsegv")),
        new SuiteRow("hung execution: cut after", Target.atMost(1000, "ms"), this::cut),
        new SuiteRow(
            "server ends in order after all of it: exit code",
            Target.atMost(0, ""),
            () -> new Measured(report().exitCode(), "SIGTERM")));
  }

  @Override
  public void close() {
    isolation.close();
    lab.close();
  }

  private ChaosRun.Report report() throws IOException, InterruptedException {
    ChaosRun.Report done = report;
    if (done == null) {
      // Its server would take a little of the two cores even when idle.
      isolation.close();
      Duration duration = lab.duration().multipliedBy(FACTOR);
      done = new ChaosRun(new ChaosPlan(Arrays.asList(Fault.values()), duration)).run(result -> {});
      report = done;
    }
    return done;
  }

  private Measured sum(ToDoubleFunction<FaultResult> figure)
      throws IOException, InterruptedException {
    List<FaultResult> results = report().results();
    return new Measured(
        results.stream().mapToDouble(figure).sum(),
        "%d requests at %.0f a second, %d windows"
            .formatted(
                results.stream().mapToLong(FaultResult::sent).sum(),
                report().perSecond(),
                results.size()));
  }

  /**
   * Finds the fault that the others felt most.
   *
   * @param all also those that hold up the whole server, and the random mix that has them
   */
  private Measured worstTail(boolean all) throws IOException, InterruptedException {
    FaultResult control = result(Fault.CONTROL.label());
    List<FaultResult> faults = new ArrayList<>(report().results());
    faults.removeIf(result -> result.equals(control) || !(all || ChaosRun.isOfOneModel(result)));
    FaultResult worst =
        faults.stream().max(Comparator.comparingDouble(FaultsSuite::tailRatio)).orElseThrow();
    return new Measured(
        tailRatio(worst),
        "worst is %s: %.2f ms before, %.2f ms during; %d of %d hold; without any fault: %.2f"
            .formatted(
                worst.fault(),
                worst.p99BeforeMs(),
                worst.p99DuringMs(),
                faults.stream().filter(result -> tailRatio(result) <= MOST_FELT).count(),
                faults.size(),
                tailRatio(control)));
  }

  private static double tailRatio(FaultResult result) {
    return result.p99DuringMs() / result.p99BeforeMs();
  }

  private Measured again(String... faults) throws IOException, InterruptedException {
    double worst = 0;
    List<String> each = new ArrayList<>();
    for (String fault : faults) {
      double recoverMs = result(fault).recoverMs();
      worst = Math.max(worst, recoverMs);
      each.add(String.format(Locale.ROOT, "%s %.0f ms", fault, recoverMs));
    }
    return new Measured(
        worst, "from the fault to the right answer of a later request: " + String.join(", ", each));
  }

  private Measured detected(String fault) throws IOException, InterruptedException {
    return new Measured(
        result(fault).detectMs(), "from the signal to the decision, as the event bus tells it");
  }

  private Measured cut() throws IOException, InterruptedException {
    return new Measured(
        result("hang").detectMs(),
        "from the beginning of the execution to the decision, as the event bus tells both");
  }

  private FaultResult result(String fault) throws IOException, InterruptedException {
    return report().results().stream()
        .filter(result -> result.fault().equals(fault))
        .findFirst()
        .orElseThrow();
  }

  private Measured search() {
    int most = 0;
    for (int culprit = 0; culprit < BATCH; culprit++) {
      int runs = 0;
      int answered = 0;
      Bisection bisection = new Bisection(BATCH, Result.INPUT_FAILED);
      for (Part part = bisection.next(); part != null; part = bisection.next()) {
        boolean fails = part.from() <= culprit && culprit < part.to();
        answered += fails ? 0 : part.size();
        bisection.record(fails ? Result.INPUT_FAILED : Result.SUCCEEDED);
        runs++;
      }
      if (answered != BATCH - 1) {
        throw new IllegalStateException("%d of 31 were answered".formatted(answered));
      }
      most = Math.max(most, runs);
    }
    return new Measured(most, "the worst of 32 places; 31 of 31 others are answered in each");
  }
}
