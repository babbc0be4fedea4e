package dev.conveyor.verticles.cli.simulate;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class SimulateCommandTest {

  /** One model whose batches take 20 ms and 2 ms per item: 307 items per second at most. */
  private static final String SMALL =
      """
      {"name": "small", "description": "one device", "seed": 1,
       "duration_seconds": 60, "warmup_seconds": 5,
       "devices": [{"name": "cpu", "count": 1}],
       "models": [{"name": "model", "count": 1, "latency_objective_microseconds": 200000,
                   "max_batch_size": 16,
                   "profile": {"alpha_microseconds": 2000, "beta_microseconds": 20000}}],
       "arrivals": {"process": "poisson"}}
      """;

  private static final double MOST_PER_SECOND = 16 / 0.052;

  @TempDir private Path folder;
  private Path scenario = Path.of("");
  private Path json = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void write() throws IOException {
    scenario = Files.writeString(folder.resolve("small.json"), SMALL);
    json = folder.resolve("figures.json");
  }

  private int run(String... arguments) {
    return new CommandLine(new SimulateCommand())
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  @Test
  void shouldRunEachPolicyAtARateAndWriteWhatBecameOfTheRequests() throws IOException {
    assertThat(
            run(
                scenario.toString(),
                "--policy",
                "conveyor,fifo",
                "--rate",
                "600",
                "--json",
                json.toString()))
        .as(err::toString)
        .isZero();
    assertThat(out.toString()).contains("small: 1 slots, 1 models", "at 600.0/s:", "conveyor");

    JsonObject figures = new JsonObject(Files.readString(json));
    assertThat(figures.getString("scenario")).isEqualTo("small");
    List<JsonObject> policies =
        figures.getJsonArray("policies").stream().map(JsonObject.class::cast).toList();
    assertThat(policies)
        .extracting(policy -> policy.getString("policy"))
        .containsExactly("conveyor", "fifo");
    for (JsonObject policy : policies) {
      JsonObject model = policy.getJsonArray("models").getJsonObject(0);
      assertThat(model.getLong("arrived")).isBetween(30_000L, 36_000L);
      assertThat(
              model.getLong("in_time")
                  + model.getLong("late")
                  + model.getLong("refused")
                  + model.getLong("lost"))
          .as("everybody is told")
          .isEqualTo(model.getLong("arrived"));
      assertThat(policy.containsKey("goodput_per_second")).isFalse();
    }
    // At twice what the device can do, who takes everything is in time with next to nothing.
    assertThat(policies.get(0).getDouble("in_time_per_second")).isGreaterThan(200);
    assertThat(policies.get(1).getDouble("in_time_per_second")).isLessThan(20);
  }

  @Test
  void shouldFindTheGoodputAndDrawItUpToTwiceTheBest() throws IOException {
    Path plot = folder.resolve("overload.svg");
    assertThat(
            run(
                scenario.toString(),
                "--policy",
                "conveyor,fifo",
                "--json",
                json.toString(),
                "--plot",
                plot.toString()))
        .as(err::toString)
        .isZero();
    JsonObject figures = new JsonObject(Files.readString(json));
    for (int i = 0; i < 2; i++) {
      JsonObject policy = figures.getJsonArray("policies").getJsonObject(i);
      assertThat(policy.getDouble("goodput_per_second")).isBetween(1.0, MOST_PER_SECOND);
    }
    assertThat(Files.readString(plot)).contains("<svg", "conveyor", "fifo", "late or refused (%)");
  }

  @Test
  void shouldSayWhatIsWrongBeforeItRunsAnything() {
    assertThat(run(scenario.toString(), "--policy", "none")).isEqualTo(2);
    assertThat(err.toString()).contains("unknown policy \"none\", there is: conveyor");
    assertThat(run(scenario.toString(), "--plot", "overload.gif")).isEqualTo(2);
    assertThat(err.toString()).contains("a plot ends with .svg or .png, was overload.gif");
    assertThat(run(folder.resolve("missing.json").toString())).isEqualTo(2);
    assertThat(err.toString()).contains("missing.json").contains("no such file");
    assertThat(out.toString()).isEmpty();
  }
}
