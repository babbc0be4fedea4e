package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.chaos.ChaosPlan;
import dev.conveyor.verticles.chaos.ChaosRun;
import dev.conveyor.verticles.chaos.Fault;
import dev.conveyor.verticles.chaos.FaultResult;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What faults cost those who are not at fault: one run of chaos, and the search for a culprit. A
 * run has three rounds, in which windows with a fault and without it take turns.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class FaultsSuite implements Suite {

  private static final int ALONE_FACTOR = 24;
  private static final int MIX_FACTOR = 12;
  private static final int ROUNDS = 3;
  private static final int SEED = 1;
  private static final double MIX_MINUTES = 30;
  private static final double MOST_FELT = 1.25;

  private final Lab lab;
  private final IsolationRows isolation;
  private final ProbeRows probes;
  private ChaosRun.@Nullable Report report;

  FaultsSuite(Lab lab) {
    this.lab = lab;
    this.isolation = new IsolationRows(lab);
    this.probes = new ProbeRows(isolation);
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(isolation.rows());
    rows.addAll(probes.rows());
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
            "p99 of models without a fault, during / before, no fault at all",
            Target.atMost(MOST_FELT, ""),
            this::control),
        new SuiteRow(
            "p99 of models without a fault, during / before, worst fault",
            Target.atMost(MOST_FELT, ""),
            () -> worstTail(true)),
        new SuiteRow(
            "the same, faults of one model or worker only",
            Target.atMost(MOST_FELT, ""),
            () -> worstTail(false)),
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
            "random mixes of faults in two models at once, nothing wrong or lost",
            Target.atLeast(MIX_MINUTES, "min"),
            this::mixes),
        new SuiteRow(
            "faults that cost no instance: requests refused", Target.atMost(0, ""), this::refused),
        new SuiteRow(
            "server ends in order after all of it: exit code",
            Target.atMost(0, ""),
            () -> new Measured(report().exitCode(), "SIGTERM")));
  }

  @Override
  public void close() {
    probes.close();
    isolation.close();
    lab.close();
  }

  private ChaosRun.Report report() throws IOException, InterruptedException {
    ChaosRun.Report done = report;
    if (done == null) {
      // Its server would take a little of the two cores even when idle.
      isolation.close();
      probes.close();
      ChaosPlan plan =
          new ChaosPlan(
              Arrays.asList(Fault.values()),
              lab.duration().multipliedBy(ALONE_FACTOR),
              ROUNDS,
              lab.duration().multipliedBy(MIX_FACTOR),
              SEED,
              ChaosPlan.PATIENCE);
      done = new ChaosRun(plan).run(result -> {});
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
        faults.stream()
            .max(Comparator.comparingDouble(result -> result.felt().ratio()))
            .orElseThrow();
    return new Measured(
        worst.felt().ratio(),
        "worst is %s: %s; %d of %d hold, not %s; without any fault: %.2f"
            .formatted(
                worst.fault(),
                felt(worst.felt()),
                faults.stream().filter(result -> result.felt().ratio() <= MOST_FELT).count(),
                faults.size(),
                faults.stream()
                    .filter(result -> result.felt().ratio() > MOST_FELT)
                    .map(
                        result ->
                            String.format(
                                Locale.ROOT, "%s (%.2f)", result.fault(), result.felt().ratio()))
                    .collect(Collectors.joining(", ")),
                control.felt().ratio()));
  }

  /**
   * What windows differ by anyway: the same number of them, of the same length, in the same run.
   */
  private Measured control() throws IOException, InterruptedException {
    FaultResult.Felt felt = result(Fault.CONTROL.label()).felt();
    return new Measured(felt.ratio(), "%d rounds; %s".formatted(ROUNDS, felt(felt)));
  }

  private static String felt(FaultResult.Felt felt) {
    return String.format(
        Locale.ROOT,
        "%.2f ms without it, %.2f ms with it (the client itself was late by %.2f and %.2f ms)",
        felt.p99BeforeMs(),
        felt.p99DuringMs(),
        felt.stallBeforeMs(),
        felt.stallDuringMs());
  }

  private Measured refused() throws IOException, InterruptedException {
    List<FaultResult> sparing =
        report().results().stream()
            .filter(result -> Fault.of(result.fault()).map(f -> !f.losesInstance()).orElse(false))
            .toList();
    long wrong = sparing.stream().mapToLong(FaultResult::wrong).sum();
    return new Measured(
        sparing.stream().mapToLong(FaultResult::refused).sum() + wrong,
        "%d faults, %d requests; a refusal of these counts as wrong: %d"
            .formatted(sparing.size(), sparing.stream().mapToLong(FaultResult::sent).sum(), wrong));
  }

  private Measured again(String... faults) throws IOException, InterruptedException {
    double worst = 0;
    List<String> each = new ArrayList<>();
    for (String fault : faults) {
      double recoverMs = result(fault).course().recoverMs();
      worst = Math.max(worst, recoverMs);
      each.add(String.format(Locale.ROOT, "%s %.0f ms", fault, recoverMs));
    }
    return new Measured(
        worst, "from the fault to the right answer of a later request: " + String.join(", ", each));
  }

  private Measured detected(String fault) throws IOException, InterruptedException {
    return new Measured(
        result(fault).course().detectMs(),
        "from the signal to the decision, as the event bus tells it");
  }

  private Measured cut() throws IOException, InterruptedException {
    return new Measured(
        result("hang").course().detectMs(),
        "from the beginning of the execution to the decision, as the event bus tells both");
  }

  private FaultResult result(String fault) throws IOException, InterruptedException {
    return report().results().stream()
        .filter(result -> result.fault().equals(fault))
        .findFirst()
        .orElseThrow();
  }

  /** How long random mixes went on in which nothing was wrong or lost. */
  private Measured mixes() throws IOException, InterruptedException {
    List<FaultResult> mixes =
        report().results().stream().filter(result -> Fault.of(result.fault()).isEmpty()).toList();
    long bad = mixes.stream().mapToLong(mix -> mix.wrong() + mix.lost() + mix.othersFailed()).sum();
    double minutes = lab.duration().multipliedBy(MIX_FACTOR).toMillis() / 60e3;
    return new Measured(
        bad == 0 ? minutes : 0,
        "%d faults, %d began while another lasted; %d requests, %d were told to come again, %d"
                .formatted(
                    mixes.stream().mapToInt(mix -> mix.course().injected()).sum(),
                    mixes.stream().mapToInt(mix -> mix.course().overlapping()).sum(),
                    mixes.stream().mapToLong(FaultResult::sent).sum(),
                    mixes.stream().mapToLong(FaultResult::refused).sum(),
                    bad)
            + " wrong or lost; --duration 150 makes half an hour of it");
  }
}
