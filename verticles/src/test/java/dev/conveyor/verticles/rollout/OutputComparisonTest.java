package dev.conveyor.verticles.rollout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.server.Requests;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

class OutputComparisonTest {

  private static boolean agree(Tensor expected, Tensor found) {
    return OutputComparison.agree(List.of(expected), List.of(found), 0.25);
  }

  private static Tensor row(float... values) {
    return Requests.tensor("y", values);
  }

  private static Tensor bytes(DataType type, int... values) {
    ByteBuffer data = ByteBuffer.allocate(values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int value : values) {
      data.put((byte) value);
    }
    int width = type == DataType.FP16 || type == DataType.BF16 ? 2 : 1;
    return Tensor.of("y", type, Shape.of(values.length / width), data.flip());
  }

  @Test
  void shouldMeasureDifferencesByTheLargestValue() {
    assertThat(agree(row(0, 4), row(1, 4))).isTrue();
    assertThat(agree(row(0, 4), row(1.001f, 4))).isFalse();
    assertThat(agree(row(0, -4), row(-1, -4))).isTrue();
  }

  @Test
  void shouldTakeWhatIsNotFiniteForItself() {
    assertThat(agree(row(Float.NaN, 1), row(Float.NaN, 1))).isTrue();
    assertThat(agree(row(1, 1), row(Float.NaN, 1))).isFalse();
    assertThat(agree(row(Float.NaN, 1), row(1, 1))).isFalse();
  }

  @Test
  void shouldMeasureShortFloatsAsFloats() {
    // 1 and the next number above it: 0x3C00 and 0x3C01 in half, 0x3F80 and 0x3F81 in bfloat16.
    Tensor half = bytes(DataType.FP16, 0x00, 0x3C);
    assertThat(agree(half, bytes(DataType.FP16, 0x01, 0x3C))).isTrue();
    assertThat(agree(half, bytes(DataType.FP16, 0x00, 0x40))).as("2").isFalse();
    Tensor brain = bytes(DataType.BF16, 0x80, 0x3F);
    assertThat(agree(brain, bytes(DataType.BF16, 0x81, 0x3F))).isTrue();
    assertThat(agree(brain, bytes(DataType.BF16, 0x00, 0x40))).as("2").isFalse();
  }

  @Test
  void shouldWantOtherTypesEqual() {
    assertThat(agree(bytes(DataType.INT8, 1, 2), bytes(DataType.INT8, 1, 2))).isTrue();
    assertThat(agree(bytes(DataType.INT8, 1, 2), bytes(DataType.INT8, 1, 3))).isFalse();
    assertThat(agree(bytes(DataType.INT8, 1, 2), bytes(DataType.UINT8, 1, 2))).isFalse();
  }

  @Test
  void shouldWantTheSameOutputsOfTheSameShape() {
    assertThat(agree(row(1), row(1, 1))).isFalse();
    assertThat(OutputComparison.agree(List.of(row(1)), List.of(), 0.25)).isFalse();
    assertThat(agree(row(), row())).isTrue();
  }

  @Test
  void shouldSpreadWhatItComparesOverALargeOutput() {
    float[] values = new float[3 * OutputComparison.MOST_VALUES];
    values[0] = 1;
    float[] other = values.clone();
    for (int i = values.length / 2; i < values.length; i++) {
      other[i] = 9;
    }
    assertThat(agree(row(values), row(values.clone()))).isTrue();
    assertThat(agree(row(values), row(other))).isFalse();
  }
}
