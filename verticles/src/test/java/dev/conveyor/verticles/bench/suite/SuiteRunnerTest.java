package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertx.core.json.JsonObject;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class SuiteRunnerTest {

  private final StringWriter printed = new StringWriter();

  @Test
  void shouldPrintValueAndTargetOfEveryRowAndGoOnAfterAFailure() {
    List<RowResult> results =
        run(
            row("fast", Target.atLeast(100, ""), 100),
            new SuiteRow(
                "strange",
                Target.atLeast(1, ""),
                () -> {
                  throw new CannotMeasureException("no such device");
                }),
            row("slow", Target.atMost(60, "µs"), 60.5));

    assertThat(results).extracting(RowResult::holds).containsExactly(true, false, false);
    assertThat(printed.toString())
        .contains("holds   fast", "value 100   target >= 100")
        .contains("MISSES  strange", "cannot be measured here: no such device")
        .contains("MISSES  slow", "value 60.5 µs   target <= 60 µs", "1 of 3 rows hold");
  }

  @Test
  void shouldWriteRowsAsJsonAlsoWhenThereIsNoValue() {
    List<RowResult> results =
        run(
            row("fast", Target.atLeast(0.92, ""), 0.95),
            row("undefined", Target.atLeast(1, ""), Double.NaN));

    var json = SuiteRunner.json(results);

    assertThat(json.getJsonObject(0))
        .isEqualTo(
            new JsonObject()
                .put("figure", "fast")
                .put("value", 0.95)
                .put("target", ">= 0.920")
                .put("holds", true)
                .put("how", "by hand"));
    assertThat(json.getJsonObject(1).getValue("value")).isNull();
    assertThat(json.getJsonObject(1).getBoolean("holds")).isFalse();
    assertThat(json.getJsonObject(1).getString("how")).contains("no value came out");
  }

  @Test
  void shouldHoldExactlyUpToTheLimit() {
    assertThat(Target.atLeast(10, "").holds(10)).isTrue();
    assertThat(Target.atLeast(10, "").holds(Math.nextDown(10.0))).isFalse();
    assertThat(Target.atMost(10, "").holds(10)).isTrue();
    assertThat(Target.atMost(10, "").holds(Math.nextUp(10.0))).isFalse();
    assertThat(Target.atLeast(55_000, "").text()).isEqualTo(">= 55,000");
  }

  @Test
  void shouldNameTheSuitesThereAreWhenOneIsUnknown() {
    PrintWriter out = new PrintWriter(printed, true);

    assertThatThrownBy(
            () -> Suites.run("other", "", null, Duration.ZERO, Duration.ofSeconds(1), null, out))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(".*there is: .*serving.*");
  }

  @Test
  void shouldMeasureNothingOfServingWithoutTestData() throws Exception {
    PrintWriter out = new PrintWriter(printed, true);

    boolean holds =
        Suites.run(
            "serving",
            "",
            Path.of("does-not-exist"),
            Duration.ZERO,
            Duration.ofSeconds(1),
            null,
            out);

    assertThat(holds).isFalse();
    assertThat(printed.toString())
        .contains("name the test data with --data or CONVEYOR_TESTDATA", "0 of 7 rows hold");
  }

  private List<RowResult> run(SuiteRow... rows) {
    Suite suite =
        new Suite() {
          @Override
          public List<SuiteRow> rows() {
            return List.of(rows);
          }

          @Override
          public void close() {
            throw new UnsupportedOperationException("the runner does not own the suite");
          }
        };
    return SuiteRunner.run(suite, "", new PrintWriter(printed, true));
  }

  private static SuiteRow row(String figure, Target target, double value) {
    return new SuiteRow(figure, target, () -> new Measured(value, "by hand"));
  }
}
