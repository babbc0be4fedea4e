package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class PopularityTest {

  private static final long SECOND = 1_000_000_000;

  private static Popularity popularity(String changes) {
    return new Popularity(
        ScenarioReader.read(
            "f",
            """
            {"name": "n", "duration_seconds": 100, "devices": [{"name": "d"}],
             "models": [
               {"name": "m", "count": 3, "zipf": 1, "max_batch_size": 1,
                "latency_objective_microseconds": 1000,
                "profile": {"alpha_microseconds": 100, "beta_microseconds": 500}}],
             "popularity_changes": [%s]}
            """
                .formatted(changes)));
  }

  private static double[] drawn(Popularity popularity, long atNs) {
    SplittableRandom random = new SplittableRandom(7);
    double[] parts = new double[3];
    int draws = 100_000;
    for (int i = 0; i < draws; i++) {
      parts[popularity.draw(atNs, random)] += 1.0 / draws;
    }
    return parts;
  }

  @Test
  void shouldHandPopularityOnFromModelToModel() {
    Popularity popularity =
        popularity(
            "{\"at_seconds\": 10, \"rotate_places\": 1}, {\"at_seconds\": 20, \"rotate_places\": 4}");

    double whole = 1 + 1 / 2.0 + 1 / 3.0;
    assertThat(drawn(popularity, 10 * SECOND - 1)[0]).isCloseTo(1 / whole, within(0.01));
    assertThat(drawn(popularity, 10 * SECOND)[1]).isCloseTo(1 / whole, within(0.01));
    assertThat(drawn(popularity, 20 * SECOND)[2]).isCloseTo(1 / whole, within(0.01));
    assertThat(popularity.timeNs(30 * SECOND)).isEqualTo(30 * SECOND);
  }

  @Test
  void shouldHaveMoreRequestsComeForOneModelAndAsManyAsBeforeForTheOthers() {
    double whole = 1 + 1 / 2.0 + 1 / 3.0;
    Popularity popularity =
        popularity(
            "{\"at_seconds\": 10, \"model\": \"m-0\", \"factor\": 4},"
                + " {\"at_seconds\": 20, \"model\": \"m-0\", \"factor\": 1}");

    assertThat(drawn(popularity, 10 * SECOND)[0]).isCloseTo(4 / (whole + 3), within(0.01));
    double level = (whole + 3) / whole;
    assertThat(popularity.timeNs(10 * SECOND - 1)).isEqualTo(10 * SECOND - 1);
    assertThat(popularity.timeNs(10 * SECOND + SECOND) / 1e9)
        .isCloseTo(10 + 1 / level, within(1e-6));
    long backNs = (long) ((10 + 10 * level) * 1e9);
    assertThat(popularity.timeNs(backNs + SECOND) / 1e9).isCloseTo(21, within(1e-6));
  }
}
