package dev.conveyor.verticles.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class VerdictStepTest {

  private static final int STAIN = 3;
  private static final int SCRATCH = 1;

  private final Step step =
      Steps.onClassPath().create("conveyor.inspection_verdict", new StepSettings(0, Map.of()));

  @Test
  void shouldBelieveTheCropsBeforeTheWholePicture() {
    List<Tensor> verdict =
        run(
            new float[] {0.6f, 0.2f, 0.1f, 0.1f},
            new float[] {
              0.1f, 0.1f, 0.1f, 0.7f, //
              0.1f, 0.8f, 0.05f, 0.05f, //
              0.05f, 0.9f, 0.03f, 0.02f
            },
            new float[] {0.03f, 0.02f, 0.02f});

    assertThat(verdict.get(0).data().getInt(0)).as("the larger area of two").isEqualTo(SCRATCH);
    assertThat(verdict.get(1).data().getFloat(0)).isEqualTo(0.9f);
    assertThat(verdict.get(2).data().get(0)).isEqualTo((byte) 1);
  }

  @Test
  void shouldBelieveThePictureWhereNoCropShowsADefect() {
    float[] harmless = {0.99f, 0.01f, 0, 0};
    float[] clean = {0.8f, 0.1f, 0.1f, 0};
    float[] stained = {0.1f, 0.1f, 0.1f, 0.7f};

    List<Tensor> passes = run(clean, harmless, new float[] {0.01f});
    assertThat(passes.get(0).data().getInt(0)).isZero();
    assertThat(passes.get(1).data().getFloat(0)).isEqualTo(0.8f);
    assertThat(passes.get(2).data().get(0)).isZero();
    assertThat(run(stained, harmless, new float[] {0.01f}).get(0).data().getInt(0))
        .isEqualTo(STAIN);
    assertThat(run(clean, new float[0], new float[0]).get(2).data().get(0)).isZero();
  }

  @Test
  void shouldRefuseCropsWithoutAnAreaEach() {
    assertThatThrownBy(() -> run(new float[4], new float[8], new float[] {1}))
        .hasMessageContaining("an area for each");
  }

  private List<Tensor> run(float[] whole, float[] crops, float[] area) {
    return step.run(
        List.of(
            tensor("whole", whole, 1, whole.length),
            tensor("crops", crops, crops.length / whole.length, whole.length),
            tensor("area", area, area.length, 1)),
        new StepResources(new BufferPool(BlockAllocator.host(), 1 << 10), 1));
  }

  private static Tensor tensor(String name, float[] values, long... shape) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return Tensor.of(name, DataType.FP32, Shape.of(shape), bytes);
  }
}
