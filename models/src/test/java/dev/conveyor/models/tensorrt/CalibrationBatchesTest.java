package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

class CalibrationBatchesTest {

  private static final List<TensorSpec> INPUTS =
      List.of(
          new TensorSpec("a", DataType.UINT8, Shape.of(-1, 2)),
          new TensorSpec("b", DataType.UINT8, Shape.of(-1, 1)));

  @Test
  void shouldPutItemsBehindEachOtherAndLeaveOutTheRest() {
    CalibrationBatches batches = new CalibrationBatches(data(5, 2), INPUTS, 2);

    assertThat(batches.next()).isTrue();
    assertThat(batches.bytes(0)).containsExactly(0, 1, 10, 11);
    assertThat(batches.bytes(1)).containsExactly(100, 110);
    assertThat(batches.batchBytes(0)).isEqualTo(4);
    assertThat(batches.next()).isTrue();
    assertThat(batches.bytes(0)).containsExactly(20, 21, 30, 31);
    assertThat(batches.next()).isFalse();
  }

  @Test
  void shouldRefuseLessThanTensorRtReads() {
    assertThatThrownBy(() -> new CalibrationBatches(data(7, 2), INPUTS, 8))
        .hasMessageContaining("expected 8 items or more")
        .hasMessageContaining("found 7");
    assertThat(new CalibrationBatches(data(8, 2), INPUTS, 8).next()).isTrue();
  }

  @Test
  void shouldSayWhichItemDoesNotFit() {
    CalibrationBatches batches = new CalibrationBatches(data(1, 3), INPUTS, 1);

    assertThatThrownBy(batches::next).hasMessage("item 0: expected 2 bytes for 'a', found 3");
  }

  private static DataSet data(int size, int width) {
    return new DataSet() {
      @Override
      public int size() {
        return size;
      }

      @Override
      public Sample sample(int index) {
        byte[] a = new byte[width];
        for (int i = 0; i < width; i++) {
          a[i] = (byte) (10 * index + i);
        }
        return new Sample(
            "item " + index,
            List.of(tensor("a", a), tensor("b", new byte[] {(byte) (100 + 10 * index)})),
            Truth.NONE);
      }
    };
  }

  private static Tensor tensor(String name, byte[] bytes) {
    return Tensor.of(
        name,
        DataType.UINT8,
        Shape.of(1, bytes.length),
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
  }
}
