package dev.conveyor.models.optimize.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth;
import dev.conveyor.models.optimize.data.Truth.Box;
import dev.conveyor.models.optimize.graph.Weights;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class MetricsTest {

  @Test
  void shouldCountTheFirstAndTheFirstFive() {
    TopClasses top = new TopClasses();
    List<Tensor> scores = scores(0.1f, 0.2f, 0.9f, 0.3f, 0.4f, 0.5f, 0.05f);
    top.add(labelled(2), scores);
    top.add(labelled(1), scores);
    top.add(labelled(6), scores);
    top.add(labelled(-1), scores);

    assertThat(top.percent()).isCloseTo(100.0 / 3, within(1e-9));
    assertThat(top.details().get("top-5")).isCloseTo(200.0 / 3, within(1e-9));
  }

  @Test
  void shouldDecideNaNAgainstTheModel() {
    TopClasses top = new TopClasses();
    top.add(labelled(0), scores(Float.NaN, Float.NaN));
    assertThat(top.percent()).isZero();

    Agreement agreement = new Agreement();
    agreement.add(scores(1, 2), scores(Float.NaN, 2));
    assertThat(agreement.maxError()).isInfinite();
    assertThat(agreement.meanCosine()).isZero();
  }

  @Test
  void shouldMeasureAgreement() {
    Agreement agreement = new Agreement();
    agreement.add(scores(3, 4), scores(3, 4));
    agreement.add(scores(3, 4), scores(4, 3));

    assertThat(agreement.meanCosine()).isCloseTo((1 + 0.96) / 2, within(1e-9));
    assertThat(agreement.minCosine()).isCloseTo(0.96, within(1e-9));
    assertThat(agreement.sameClass()).isEqualTo(0.5);
    assertThat(agreement.maxError()).isEqualTo(1);
    assertThat(agreement.worstRelativeError()).isEqualTo(0.25);
    assertThat(agreement.sqnrDb()).isCloseTo(10 * Math.log10(50.0 / 2), within(1e-9));
  }

  @Test
  void shouldKeepTheSurestOfOverlappingBoxes() {
    List<Detections.Found> found =
        Detections.of(
            List.of(
                Weights.tensor(
                    "scores", Shape.of(1, 3, 2), new float[] {0, 0.8f, 0, 0.9f, 0, 0.75f}),
                Weights.tensor(
                    "boxes",
                    Shape.of(1, 3, 4),
                    new float[] {0, 0, 0.5f, 0.5f, 0, 0, 0.5f, 0.52f, 0.6f, 0.6f, 1, 1})),
            0.7f);

    assertThat(found).extracting(Detections.Found::score).containsExactly(0.9f, 0.75f);
  }

  @Test
  void shouldSayHowMuchOfWhatTwoDetectorsFindIsTheSame() {
    DetectionAgreement agreement = new DetectionAgreement(0.7f);
    agreement.add(detections(0.8f, 0.9f), detections(0.9f, 0.75f));
    assertThat(agreement.percent()).isEqualTo(100);
    agreement.add(detections(0.69f, 0.9f), detections(0.71f, 0.9f));
    // 3 boxes against 4, of which 3 are the same.
    assertThat(agreement.percent()).isCloseTo(100 * 2 * 3 / 7.0, within(1e-6));
    agreement.add(detections(0.6f, 0.6f), detections(0.5f, 0.5f));
    assertThat(agreement.percent()).isCloseTo(100 * 2 * 3 / 7.0, within(1e-6));
    assertThat(new DetectionAgreement(0.7f).percent()).isEqualTo(100);
  }

  /** Two boxes far apart. */
  private static List<Tensor> detections(float first, float second) {
    return List.of(
        Weights.tensor("scores", Shape.of(1, 2, 2), new float[] {0, first, 0, second}),
        Weights.tensor(
            "boxes", Shape.of(1, 2, 4), new float[] {0, 0, 0.4f, 0.4f, 0.6f, 0.6f, 1, 1}));
  }

  @Test
  void shouldAverageThePrecisionOverTheRecall() {
    MeanAveragePrecision map = new MeanAveragePrecision();
    Box first = new Box(1, 0, 0, 0.4f, 0.4f);
    Box second = new Box(1, 0.6f, 0.6f, 1, 1);
    map.add(
        List.of(first, second),
        List.of(
            new Detections.Found(first, 0.9f),
            new Detections.Found(new Box(1, 0.4f, 0, 0.6f, 0.2f), 0.8f),
            new Detections.Found(second, 0.7f)));

    // Precision 1 up to recall 0.5, then 2/3 up to recall 1.
    assertThat(map.percent()).isCloseTo(100 * (0.5 + 0.5 * 2 / 3), within(1e-6));
  }

  @Test
  void shouldRunContestantsInTurns() {
    StringBuilder order = new StringBuilder();
    Map<String, Race.Times> times =
        Race.run(
            List.of(
                new Race.Contestant("a", () -> order.append('a')),
                new Race.Contestant("b", () -> order.append('b'))),
            0,
            Duration.ZERO);

    assertThat(order.toString()).startsWith("abbaab");
    assertThat(times.get("a").rounds()).isEqualTo(times.get("b").rounds()).isGreaterThan(4);
  }

  @Test
  void shouldCompareRoundByRound() {
    Race.Times slow = new Race.Times();
    Race.Times fast = new Race.Times();
    for (int noise : new int[] {1, 10, 1, 3, 1}) {
      slow.add(400L * noise, 300L * noise);
      fast.add(200L * noise, 100L * noise);
    }

    assertThat(fast.speedUpOver(slow)).isEqualTo(2.0);
    assertThat(fast.cpuSpeedUpOver(slow)).isEqualTo(3.0);
    assertThat(fast.medianNs()).isEqualTo(200);
    assertThat(fast.percentileNs(0.99)).isEqualTo(2000);
  }

  private static Sample labelled(int label) {
    return new Sample("item", List.of(), new Truth(label, null, null));
  }

  private static List<Tensor> scores(float... values) {
    return List.of(Weights.tensor("scores", Shape.of(1, values.length), values));
  }
}
