package dev.conveyor.models.steps;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

final class RegionStepTest {

  @Test
  void shouldBoxConnectedPartsTheLargestFirst() {
    List<Tensor> out = run(new RegionStep(0, 0, 0, 64), 10, 4, "#...", "....", "..##", ".#..");

    assertThat(floats(out.get(0))).containsExactly(2.5f, 2, 10, 4, 0, 0, 2.5f, 1);
    assertThat(floats(out.get(1))).as("around, without a margin").isEqualTo(floats(out.get(0)));
    assertThat(floats(out.get(2))).containsExactly(3 / 16f, 1 / 16f);
  }

  @Test
  void shouldLeaveOutPartsBelowTheLeastAreaAndKeepThoseOfExactlyIt() {
    String[] mask = {"#...", "....", "..##", "...."};
    assertThat(run(new RegionStep(2 / 16.0, 0, 0, 64), 4, 4, mask).get(0).shape())
        .isEqualTo(Shape.of(1, 4));
    assertThat(run(new RegionStep(2.1 / 16.0, 0, 0, 64), 4, 4, mask).get(0).shape())
        .isEqualTo(Shape.of(0, 4));
    assertThat(run(new RegionStep(0, 0, 0, 1), 4, 4, mask).get(0).shape())
        .isEqualTo(Shape.of(1, 4));
  }

  @Test
  void shouldKeepMarginsInsideOfTheImage() {
    List<Tensor> out = run(new RegionStep(0, 0.5, 0, 64), 4, 4, "....", "....", "..##", "..##");

    assertThat(floats(out.get(0))).containsExactly(2, 2, 4, 4);
    assertThat(floats(out.get(1))).as("moved inwards").containsExactly(0, 0, 4, 4);
  }

  @Test
  void shouldShowSmallPartsWithWhatIsAroundThem() {
    String[] mask = {"....", ".#..", "....", "...."};
    assertThat(floats(run(new RegionStep(0, 0, 0.5, 64), 4, 4, mask).get(1)))
        .containsExactly(0.5f, 0.5f, 2.5f, 2.5f);
    assertThat(floats(run(new RegionStep(0, 1, 0.5, 64), 4, 4, mask).get(1)))
        .containsExactly(0, 0, 3, 3);
  }

  @Test
  void shouldFindNothingInAnEmptyMask() {
    List<Tensor> out = run(new RegionStep(0, 0, 0, 64), 4, 1, "....");

    assertThat(out.get(0).shape()).isEqualTo(Shape.of(0, 4));
    assertThat(out.get(1).shape()).isEqualTo(Shape.of(0, 4));
    assertThat(out.get(2).shape()).isEqualTo(Shape.of(0, 1));
  }

  @Test
  void shouldKeepTheLargestOfManyAndOfEqualsTheFirst() {
    List<Tensor> out = run(new RegionStep(0, 0, 0, 2), 9, 3, "#.##.#.##", ".........", "#.#...##.");
    assertThat(StepRuns.values(out.get(0))).containsExactly(2, 0, 4, 1, 7, 0, 9, 1);
    List<Tensor> three =
        run(new RegionStep(0, 0, 0, 3), 9, 3, "#.##.#.##", ".........", "#.#...##.");
    assertThat(StepRuns.values(three.get(0))).containsExactly(2, 0, 4, 1, 7, 0, 9, 1, 6, 2, 8, 3);
  }

  @Test
  void shouldRefuseMasksOfSeveralImages() {
    Tensor masks = Tensor.of("mask", DataType.UINT8, Shape.of(2, 1, 1), ByteBuffer.allocate(2));
    assertThatThrownBy(
            () -> new RegionStep(0, 0, 0, 64).run(List.of(masks, size(1, 1)), StepRuns.resources()))
        .isInstanceOf(InferenceException.class)
        .hasMessage("mask [2,1,1] and size [1,2] must be of one image");
  }

  private static List<Tensor> run(RegionStep step, int width, int height, String... rows) {
    String all = String.join("", rows);
    ByteBuffer mask = ByteBuffer.allocate(all.length());
    for (int i = 0; i < all.length(); i++) {
      mask.put(i, (byte) (all.charAt(i) == '#' ? 1 : 0));
    }
    Shape shape = Shape.of(1, 1, rows.length, rows[0].length());
    Tensor tensor = Tensor.of("mask", DataType.UINT8, shape, mask);
    return step.run(List.of(tensor, size(width, height)), StepRuns.resources());
  }

  private static Tensor size(int width, int height) {
    ByteBuffer size = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    size.putInt(0, width).putInt(4, height);
    return Tensor.of("size", DataType.INT32, Shape.of(1, 2), size);
  }

  private static float[] floats(Tensor tensor) {
    float[] values = new float[tensor.sizeBytes() / 4];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.data().getFloat(4 * i);
    }
    return values;
  }
}
