package dev.conveyor.verticles.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

final class FiniteCheckTest {

  private final FiniteCheck check = new FiniteCheck();

  @Test
  void shouldFindNanAndInfinityWhereverTheyStand() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      for (int at : new int[] {0, 1023, 1024, 2999}) {
        ByteBuffer words = zeros(4 * 3000).putFloat(4 * at, bad);
        assertThat(check.problem(List.of(tensor(DataType.FP32, words, 3000))))
            .isEqualTo(
                "output 'y' is not finite at element %d, and reject_non_finite is set"
                    .formatted(at));
        ByteBuffer longs = zeros(8 * 3000).putDouble(8 * at, bad);
        assertThat(check.problem(List.of(tensor(DataType.FP64, longs, 3000))))
            .contains("element " + at + ",");
      }
    }
    ByteBuffer half = zeros(6).putShort(4, (short) 0xfc00);
    assertThat(check.problem(List.of(tensor(DataType.FP16, half, 3)))).contains("element 2,");
    assertThat(check.problem(List.of(tensor(DataType.BF16, half, 3)))).isNull();
    ByteBuffer brain = zeros(6).putShort(2, (short) 0x7fc0);
    assertThat(check.problem(List.of(tensor(DataType.BF16, brain, 3)))).contains("element 1,");
  }

  @Test
  void shouldLetEveryFiniteNumberThrough() {
    float[] finite = {0f, -0f, Float.MAX_VALUE, -Float.MAX_VALUE, Float.MIN_VALUE, 1f, -1f};
    ByteBuffer words = zeros(4 * finite.length);
    ByteBuffer longs = zeros(8 * finite.length);
    for (int i = 0; i < finite.length; i++) {
      words.putFloat(4 * i, finite[i]);
      longs.putDouble(8 * i, finite[i] * 1e200);
    }
    Tensor ints = tensor(DataType.INT32, zeros(4).putInt(0, 0x7fc00000), 1);
    assertThat(
            check.problem(
                List.of(
                    tensor(DataType.FP32, words, finite.length),
                    tensor(DataType.FP64, longs, finite.length),
                    ints)))
        .isNull();
  }

  private static ByteBuffer zeros(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static Tensor tensor(DataType type, ByteBuffer bytes, int elements) {
    return Tensor.of("y", type, Shape.of(elements), bytes);
  }
}
