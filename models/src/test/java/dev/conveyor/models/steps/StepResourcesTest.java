package dev.conveyor.models.steps;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What steps take counts until it is closed, and nobody waits for it. */
final class StepResourcesTest {

  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 1000);

  @AfterEach
  void everythingCameBack() {
    assertThat(pool.leasedBytes()).isZero();
    pool.close();
  }

  @Test
  void shouldCountExactlyWhatIsHeld() {
    Tensor all = resources().tensor("all", DataType.FP32, Shape.of(10, 25));
    assertThat(pool.leasedBytes()).isEqualTo(1000);
    assertThat(all.data().getFloat(996)).isZero();
    Tensor share = all.tryShare();
    all.close();
    assertThat(pool.leasedBytes()).isEqualTo(1000);
    assertThat(share).isNotNull();
    share.close();
    assertThat(resources().tensor("none", DataType.FP32, Shape.of(0, 4)).sizeBytes()).isZero();
  }

  @Test
  void shouldRefuseWhatDoesNotFitNowAndWhatNeverDoes() {
    try (Tensor held = resources().tensor("held", DataType.UINT8, Shape.of(600))) {
      assertThat(held.isLeased()).isTrue();
      assertThatThrownBy(() -> resources().tensor("more", DataType.UINT8, Shape.of(401)))
          .isInstanceOfSatisfying(
              InferenceException.class,
              e -> {
                assertThat(e.code()).isEqualTo(ErrorCode.QUEUE_FULL);
                assertThat(e.reason()).isEqualTo(RefusalReason.REQUEST_MEMORY);
              })
          .hasMessage("no memory for 'more', 401 bytes: 600 of 1000 bytes for requests are in use");
      resources().tensor("rest", DataType.UINT8, Shape.of(400)).close();
    }
    for (Shape never : List.of(Shape.of(1001), Shape.of(1L << 40, 1L << 40))) {
      assertThatThrownBy(() -> resources().tensor("never", DataType.UINT8, never))
          .isInstanceOfSatisfying(
              InferenceException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TOO_LARGE));
    }
  }

  @Test
  void shouldGiveBackWhatAStepThatFailsHasTaken() {
    Step half =
        step(
            (inputs, resources) -> {
              Tensor first = resources.tensor("first", DataType.UINT8, Shape.of(600));
              return List.of(first, resources.tensor("second", DataType.UINT8, Shape.of(600)));
            });
    for (int run = 0; run < 2; run++) {
      assertThatThrownBy(() -> resources().run(half, List.of()))
          .hasMessageStartingWith("no memory for 'second', 600 bytes: 600 of 1000");
      assertThat(pool.leasedBytes()).isZero();
    }
  }

  @Test
  void shouldCountWhatAStepTookElsewhere() {
    Step own =
        step(
            (inputs, resources) ->
                List.of(
                    resources.tensor("counted", DataType.UINT8, Shape.of(500)),
                    Tensor.of("own", DataType.UINT8, Shape.of(400), StepRuns.little(400))));
    List<Tensor> outputs = resources().run(own, List.of());
    assertThat(pool.leasedBytes()).isEqualTo(900);
    assertThat(outputs.get(1).name()).isEqualTo("own");
    assertThatThrownBy(() -> resources().run(own, List.of()))
        .isInstanceOf(InferenceException.class);
    assertThat(pool.leasedBytes()).isEqualTo(900);
    outputs.forEach(Tensor::close);

    try (Tensor most = resources().tensor("most", DataType.UINT8, Shape.of(400))) {
      assertThat(most.isLeased()).isTrue();
      assertThatThrownBy(() -> resources().run(own, List.of()))
          .hasMessageStartingWith("no memory for 'own', 400 bytes: 900 of 1000");
      assertThat(pool.leasedBytes()).isEqualTo(400);
    }
  }

  @Test
  void shouldCountWhatOthersGiveFromASizeOn() {
    Tensor small = Tensor.of("small", DataType.UINT8, Shape.of(9), StepRuns.little(9));
    Tensor large = Tensor.of("large", DataType.UINT8, Shape.of(10), StepRuns.little(10));
    assertThat(StepResources.counted(pool, List.of(small), 10)).containsExactly(small);
    List<Tensor> counted = StepResources.counted(pool, List.of(small, large), 10);
    assertThat(pool.leasedBytes()).isEqualTo(10);
    List<Tensor> both = StepResources.counted(pool, counted, 1);
    assertThat(both.get(1)).as("it counts already").isSameAs(counted.get(1));
    assertThat(pool.leasedBytes()).isEqualTo(19);
    both.forEach(Tensor::close);
  }

  @Test
  void shouldDecodeNoMoreThanTheServerDoesWhateverTheStepSays() {
    byte[] photo = PictureEdgesTest.png(6, 4);
    Tensor image = BytesTensors.of("image", Shape.of(1), List.of(photo));
    for (String own : List.of("24", "1000000000")) {
      Step step = decode(Map.of("max_pixels", own));
      new StepResources(pool, 24).run(step, List.of(image)).forEach(Tensor::close);
      assertThatThrownBy(() -> new StepResources(pool, 23).run(step, List.of(image)))
          .isInstanceOf(InferenceException.class)
          .hasMessage("image 0 has 6 x 4 pixels, limits.max_image_pixels=23 are decoded");
    }
    assertThatThrownBy(
            () ->
                new StepResources(pool, 24).run(decode(Map.of("max_pixels", "23")), List.of(image)))
        .hasMessage("image 0 has 6 x 4 pixels, max_pixels=23 are decoded");
  }

  @Test
  void shouldCountTheCandidatesOfNmsBeforeTheyAreThere() {
    float[] corners = new float[400];
    float[] sure = new float[100];
    for (int i = 0; i < 100; i++) {
      corners[4 * i] = 2 * i;
      corners[4 * i + 2] = 2 * i + 1;
      corners[4 * i + 3] = 1;
      sure[i] = i < 5 ? 1 : 0.1f;
    }
    Tensor boxes = StepRuns.floats("boxes", Shape.of(1, 100, 4), corners);
    Tensor scores = StepRuns.floats("scores", Shape.of(1, 100, 1), sure);
    Step few = step("nms", Map.of("max", "10"));
    List<Tensor> kept = resources().run(few, List.of(boxes, scores));
    assertThat(kept.get(3).data().getInt(0)).isEqualTo(5);
    kept.forEach(Tensor::close);
    try (Tensor held = resources().tensor("held", DataType.UINT8, Shape.of(500))) {
      assertThat(held.isLeased()).isTrue();
      assertThatThrownBy(() -> resources().run(few, List.of(boxes, scores)))
          .isInstanceOfSatisfying(
              InferenceException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.QUEUE_FULL))
          .hasMessageStartingWith("no memory for 'candidates', 360 bytes: ");
    }
    Step all = step("nms", Map.of("max", "10", "score", "0"));
    assertThatThrownBy(() -> resources().run(all, List.of(boxes, scores)))
        .as("to send it again would not help")
        .isInstanceOfSatisfying(
            InferenceException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TOO_LARGE))
        .hasMessage("'candidates' would take 7200 bytes, there are at most 1000 for requests");
  }

  private StepResources resources() {
    return new StepResources(pool, Long.MAX_VALUE);
  }

  private static Step decode(Map<String, String> settings) {
    return step("decode", settings);
  }

  private static Step step(String name, Map<String, String> settings) {
    return Steps.onClassPath().create("conveyor." + name, new StepSettings(0, settings));
  }

  private static Step step(BiFunction<List<Tensor>, StepResources, List<Tensor>> work) {
    return new FunctionStep(List.of(), specs -> List.<TensorSpec>of(), work);
  }
}
