package dev.conveyor.verticles.cli.tune;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Measurement;
import dev.conveyor.models.tune.Objective;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.models.tune.TuneResult;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class TuneReportTest {

  private static final Objective OBJECTIVE = new Objective(10e6);

  private static Measurement run(int instances, double perSecond, double p99Ms) {
    Setting setting = new Setting(instances, 1, 1, 0, 1, "cpu");
    return new Measurement(setting, perSecond, p99Ms * 1e6, 0, Duration.ofSeconds(1));
  }

  private static String verdict(Measurement best, boolean heldBefore, Measurement baseline) {
    TuneResult result = new TuneResult(best, heldBefore, baseline, List.of(best, baseline), 4, 2);
    return new TuneReport("m", new LoadShape.Closed(8), OBJECTIVE, result).verdict();
  }

  @Test
  void shouldNameTheBestAndWhatItIsBetterThan() {
    assertThat(verdict(run(2, 20, 9), true, run(1, 10, 9)))
        .startsWith("best: 2 x 1 thread")
        .contains("20.0 inf/s")
        .contains("as configured: 10.0 inf/s");
  }

  @Test
  void shouldSayThatTheWinnerMissedTheObjectiveInItsLastRun() {
    assertThat(verdict(run(2, 20, 11), true, run(1, 10, 9)))
        .startsWith("undecided: 2 x 1 thread")
        .contains("not in its last run (p99 11.00 ms)")
        .contains("the settings as they are keep it");
    assertThat(verdict(run(2, 20, 11), true, run(1, 10, 12))).doesNotContain("keep it;");
  }

  @Test
  void shouldSayThatNothingIsBetterOrGoodEnough() {
    assertThat(verdict(run(2, 10, 9), true, run(1, 10, 9))).startsWith("the settings as they are");
    assertThat(verdict(run(2, 20, 11), false, run(1, 10, 12)))
        .isEqualTo("no setting that was tried keeps the p99 within the objective");
  }
}
