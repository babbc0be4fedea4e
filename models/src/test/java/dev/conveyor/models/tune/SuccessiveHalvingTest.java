package dev.conveyor.models.tune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SuccessiveHalvingTest {

  private static final Objective OBJECTIVE = new Objective(50e6);
  private static final Duration SHORTEST = Duration.ofMillis(100);
  private static final Setting BASELINE = new Setting(1, 0, 8, 0, 1, "cpu");
  private static final SearchSpace SPACE =
      new SearchSpace(
          List.of(1, 2),
          List.of(1, 2),
          List.of(0),
          List.of(1, 2, 4, 8, 16),
          List.of(0L, 1000L),
          List.of(1L, 2L),
          List.of("cpu", "dnnl"),
          2);

  /** A machine of two cores: a line of cost, a faster second version, a slower provider. */
  private static Measurement truth(Setting s) {
    double itemMs = (s.version() == 2 ? 0.5 : 1) * (s.provider().equals("dnnl") ? 1.3 : 1);
    int threads = s.threads() == 0 ? 2 / s.instances() : s.threads();
    double speedUp = threads == 2 ? 1.7 : 1;
    double slots = Math.min(s.instances(), 2 / threads);
    double batchMs = 1.5 + s.maxBatchSize() * itemMs / speedUp + s.maxQueueDelayMicros() / 1e3;
    double perSecond = slots * s.maxBatchSize() * 1000 / batchMs;
    return new Measurement(s, perSecond, 3 * batchMs * 1e6, 0, SHORTEST);
  }

  private static Measurement best(List<Setting> settings) {
    return settings.stream()
        .map(SuccessiveHalvingTest::truth)
        .max(Comparator.comparingDouble(OBJECTIVE::worth))
        .orElseThrow();
  }

  @Test
  void shouldComeWithinThreePerCentOfTheBestInAQuarterOfTheRunsThoughRunsAreNoisy()
      throws Exception {
    List<Setting> settings = SPACE.settings();
    double most = best(settings).perSecond();
    for (int seed = 0; seed < 50; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Meter meter =
          (setting, length) -> {
            double noise = 0.03 * Math.sqrt(SHORTEST.toMillis() / (double) length.toMillis());
            Measurement exact = truth(setting);
            return new Measurement(
                setting,
                exact.perSecond() * (1 + noise * random.nextGaussian()),
                exact.p99Ns(),
                0,
                length);
          };
      // Right about the trend, 15 % off setting by setting.
      Prior prior = s -> OBJECTIVE.worth(truth(s)) * (0.85 + 0.3 * unit(s));
      int allowed = settings.size() / 4;
      TuneResult result =
          new SuccessiveHalving(OBJECTIVE, meter, SHORTEST, run -> {})
              .search(settings, BASELINE, prior, allowed);
      assertThat(truth(result.best().setting()).perSecond()).isGreaterThanOrEqualTo(0.97 * most);
      assertThat(result.runs()).isLessThanOrEqualTo(allowed);
      assertThat(result.improves(OBJECTIVE)).isTrue();
    }
  }

  @Test
  void shouldFindAsGoodASettingWhileOtherWorkTakesAnyPartOfTheMachine() throws Exception {
    List<Setting> settings = SPACE.settings();
    double most = best(settings).perSecond();
    int missedByThroughput = 0;
    for (int seed = 0; seed < 50; seed++) {
      if (foundWhileBusy(settings, seed, false) < 0.97 * most) {
        missedByThroughput++;
      }
      assertThat(foundWhileBusy(settings, seed, true)).isGreaterThanOrEqualTo(0.97 * most);
    }
    assertThat(missedByThroughput).as("the disturbance matters").isGreaterThan(10);
  }

  /** Runs while others keep the cores busy, between none of the time and three quarters of it. */
  private static double foundWhileBusy(List<Setting> settings, int seed, boolean corrected)
      throws Exception {
    SplittableRandom random = new SplittableRandom(seed);
    Meter meter =
        (setting, length) -> {
          Measurement exact = truth(setting);
          int threads = setting.instances() * Math.max(1, setting.threads());
          double wanted = setting.threads() == 0 ? 2 : Math.min(2, threads);
          double own = Math.min(wanted, 2 - 1.5 * random.nextDouble());
          double measured = exact.perSecond() * own / wanted;
          double alone = Undisturbed.perSecond(measured, own, 2 - own, 2, (int) wanted);
          return new Measurement(
              setting, measured, corrected ? alone : measured, exact.p99Ns(), 0, length, "");
        };
    Prior prior = s -> OBJECTIVE.worth(truth(s)) * (0.85 + 0.3 * unit(s));
    TuneResult result =
        new SuccessiveHalving(OBJECTIVE, meter, SHORTEST, run -> {})
            .search(settings, BASELINE, prior, settings.size() / 4);
    return truth(result.best().setting()).perSecond();
  }

  private static double unit(Setting s) {
    return new SplittableRandom(s.hashCode()).nextDouble();
  }

  @Test
  void shouldSayThatNothingIsBetterWhenThePriorMisleadsIt() throws Exception {
    TuneResult result =
        new SuccessiveHalving(OBJECTIVE, (s, d) -> truth(s), SHORTEST, run -> {})
            .search(
                SPACE.settings(), best(SPACE.settings()).setting(), s -> -truth(s).perSecond(), 8);
    assertThat(result.improves(OBJECTIVE)).isFalse();
    assertThat(result.baseline().perSecond()).isGreaterThanOrEqualTo(result.best().perSecond());
  }

  @Test
  void shouldNotCallASettingBetterThanItself() throws Exception {
    TuneResult result =
        new SuccessiveHalving(OBJECTIVE, (s, d) -> truth(s), SHORTEST, run -> {})
            .search(List.of(BASELINE), BASELINE, s -> 1, 4);
    assertThat(result.improves(OBJECTIVE)).isFalse();
    assertThat(result.best()).isEqualTo(result.baseline());
  }

  @Test
  void shouldRunTheSurvivorsTwiceAsLong() throws Exception {
    List<String> calls = new ArrayList<>();
    Meter meter =
        (setting, length) -> {
          calls.add(setting.maxBatchSize() + ":" + length.toMillis());
          return truth(setting);
        };
    List<Setting> settings = new ArrayList<>();
    for (int batch : new int[] {1, 2, 3, 4}) {
      settings.add(new Setting(1, 1, batch, 0, 1, "cpu"));
    }
    TuneResult result =
        new SuccessiveHalving(OBJECTIVE, meter, SHORTEST, run -> {})
            .search(settings, BASELINE, s -> 0, 100);
    assertThat(calls)
        .containsExactly("1:100", "2:100", "3:100", "4:100", "4:200", "3:200", "8:200", "4:200");
    assertThat(result.runs()).isEqualTo(8);
  }

  @Test
  void shouldTryThePriorsFavouriteOfEveryVersionAndProvider() throws Exception {
    List<Setting> tried = new ArrayList<>();
    new SuccessiveHalving(
            OBJECTIVE,
            (s, d) -> {
              tried.add(s);
              return truth(s);
            },
            SHORTEST,
            run -> {})
        .search(
            SPACE.settings(),
            BASELINE,
            s -> s.version() == 1 && s.provider().equals("cpu") ? 2 : 1,
            12);
    assertThat(tried.stream().map(s -> s.version() + s.provider()).distinct())
        .containsExactlyInAnyOrder("1cpu", "1dnnl", "2cpu", "2dnnl");
  }

  @Test
  void shouldSpendTheRunsThatAreLeftOnTheWinnersNeighbours() throws Exception {
    Setting start = new Setting(1, 1, 1, 0, 1, "cpu");
    Setting batch = new Setting(1, 1, 8, 0, 1, "cpu");
    Setting instances = new Setting(2, 1, 8, 0, 1, "cpu");
    Setting other = new Setting(1, 1, 2, 0, 1, "cpu");
    Prior prior = s -> s.equals(start) ? 3 : s.equals(other) ? 2 : s.equals(batch) ? 1 : 0;
    List<Setting> all = List.of(start, other, batch, instances);
    assertThat(found(all, prior, 6)).isEqualTo(instances);
    assertThat(found(all, prior, 5)).isEqualTo(batch);
    assertThat(found(all, prior, 4)).isEqualTo(other);
  }

  private static Setting found(List<Setting> all, Prior prior, int runs) throws Exception {
    return new SuccessiveHalving(OBJECTIVE, (s, d) -> truth(s), SHORTEST, run -> {})
        .search(all, BASELINE, prior, runs)
        .best()
        .setting();
  }

  @Test
  void shouldFindThatMoreThreadsPayWhileNothingElseWantsTheCores() throws Exception {
    SearchSpace space =
        new SearchSpace(
            List.of(1, 2),
            List.of(1, 2),
            List.of(0, 2),
            List.of(1),
            List.of(0L),
            List.of(1L),
            List.of("cpu"),
            2);
    assertThat(space.settings())
        .filteredOn(s -> s.idleThreads() > 0)
        .as("not where there are as many anyway")
        .containsExactly(
            new Setting(1, 1, 2, 1, 0, 1, "cpu"), new Setting(2, 1, 2, 1, 0, 1, "cpu"));
    Setting best = new Setting(2, 1, 2, 1, 0, 1, "cpu");
    Meter meter =
        (s, length) ->
            new Measurement(
                s, s.equals(best) ? 120 : s.instances() == 2 ? 100 : 60, 10e6, 0, length);
    TuneResult result =
        new SuccessiveHalving(OBJECTIVE, meter, SHORTEST, run -> {})
            .search(
                space.settings(), BASELINE, s -> s.instances() * (1 - 0.01 * s.idleThreads()), 8);
    assertThat(result.best().setting()).isEqualTo(best);
    assertThat(result.improves(OBJECTIVE)).isTrue();
    assertThat(best.text()).startsWith("2 x 1 thread (idle 2), batch 1");
  }

  @Test
  void shouldFillTheFirstRoundSoThatAllRoundsFit() {
    assertThat(SuccessiveHalving.firstRound(100, 4)).isEqualTo(2);
    assertThat(SuccessiveHalving.firstRound(100, 6)).isEqualTo(2);
    assertThat(SuccessiveHalving.firstRound(100, 7)).isEqualTo(3);
    assertThat(SuccessiveHalving.firstRound(100, 8)).isEqualTo(4);
    assertThat(SuccessiveHalving.firstRound(3, 100)).isEqualTo(3);
  }

  @Test
  void shouldRefuseFewerRunsThanADuelTakes() {
    SuccessiveHalving search =
        new SuccessiveHalving(OBJECTIVE, (s, d) -> truth(s), SHORTEST, run -> {});
    assertThatThrownBy(() -> search.search(SPACE.settings(), BASELINE, s -> 1, 3))
        .hasMessage("runs: expected 4 or more, found 3");
  }

  @Test
  void shouldSayThatTheWinnerKeptTheObjectiveBeforeItsLastRun() throws Exception {
    Setting good = new Setting(1, 1, 1, 0, 1, "cpu");
    int[] runs = {0};
    TuneResult result =
        new SuccessiveHalving(
                OBJECTIVE,
                (s, d) -> {
                  boolean late = s.equals(good) && ++runs[0] > 1;
                  return new Measurement(s, 10, late ? 51e6 : 1e6, 0, d);
                },
                SHORTEST,
                run -> {})
            .search(List.of(good), BASELINE, s -> 1, 4);
    assertThat(result.best().setting()).isEqualTo(good);
    assertThat(result.heldBefore()).isTrue();
    assertThat(result.improves(OBJECTIVE)).isFalse();
  }

  @Test
  void shouldLeaveSettingsThatFailBehind() throws Exception {
    Setting good = new Setting(1, 1, 1, 0, 1, "cpu");
    Setting bad = new Setting(2, 1, 16, 0, 2, "cpu");
    TuneResult result =
        new SuccessiveHalving(
                OBJECTIVE,
                (s, d) -> s.equals(bad) ? Measurement.failed(s, "refused") : truth(s),
                SHORTEST,
                run -> {})
            .search(List.of(bad, good), BASELINE, s -> 1, 8);
    assertThat(result.best().setting()).isEqualTo(good);
    assertThat(result.measured()).anyMatch(run -> run.failure().equals("refused"));
  }
}
