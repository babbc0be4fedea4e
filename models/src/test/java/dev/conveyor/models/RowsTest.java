package dev.conveyor.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.ensemble.Conditions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Taking tensors apart and putting them together, and the leases in between. */
final class RowsTest {

  private static final TensorSpec SPEC = new TensorSpec("all", DataType.FP32, Shape.of(-1, -1, 2));

  @Test
  void shouldRefuseRowsWithoutDataThatWouldTakeMoreThanTheyHold() {
    for (DataType type : List.of(DataType.FP32, DataType.BYTES)) {
      for (long rows : new long[] {65_537, 2_000_000_000L, 3_000_000_000L}) {
        Tensor empty = Tensor.of("x", type, Shape.of(rows, 0, 3), ByteBuffer.allocate(0));
        assertThatThrownBy(() -> Rows.of(empty)).hasMessageContaining(rows + " rows without data");
      }
      Tensor few = Tensor.of("x", type, Shape.of(65_536, 0), ByteBuffer.allocate(0));
      assertThat(Rows.of(few).count()).isEqualTo(65_536);
      Tensor none = Tensor.of("x", type, Shape.of(0, 3_000_000_000L), ByteBuffer.allocate(0));
      assertThat(Rows.of(none).count()).isZero();
    }
  }

  @Test
  void shouldShareRowsAndGiveTheMemoryBackWithTheLastOfThem() {
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20)) {
      Lease lease = pool.tryAcquire(24).orElseThrow();
      Tensor whole = Tensor.ofLease("x", DataType.FP32, Shape.of(3, 2), lease, 0, 24);
      for (int i = 0; i < 6; i++) {
        whole.data().putFloat(4 * i, i);
      }
      Rows rows = Rows.of(whole);
      assertThat(rows.count()).isEqualTo(3);
      Tensor last = rows.tryShare(2);
      assertThat(last).isNotNull();
      whole.close();

      assertThat(rows.tryShare(0)).isNull();
      assertThat(last.shape()).isEqualTo(Shape.of(1, 2));
      assertThat(last.data().getFloat(0)).isEqualTo(4);
      assertThat(last.sizeBytes()).isEqualTo(8);
      assertThat(pool.leasedBytes()).isPositive();
      last.close();
      assertThat(pool.leasedBytes()).isZero();
    }
  }

  @Test
  void shouldTakeTextsApart() {
    Tensor texts = BytesTensors.ofStrings("t", Shape.of(2, 2), List.of("a", "", "three", "\u00e4"));
    Rows rows = Rows.of(texts);

    assertThat(rows.count()).isEqualTo(2);
    assertThat(BytesTensors.strings(row(rows, 0))).containsExactly("a", "");
    assertThat(BytesTensors.strings(row(rows, 1))).containsExactly("three", "\u00e4");
    assertThat(Rows.of(BytesTensors.ofStrings("t", Shape.of(0, 2), List.of())).count()).isZero();
  }

  @Test
  void shouldJoinWhatIsThereInOrder() {
    Tensor a = floats(Shape.of(1, 1, 2), 1, 2);
    Tensor b = floats(Shape.of(2, 1, 2), 3, 4, 5, 6);

    Tensor joined = Rows.join(SPEC, List.of(a, b), List.of(1, 3), RowsTest::heap);
    assertThat(joined.shape()).isEqualTo(Shape.of(3, 1, 2));
    assertThat(joined.name()).isEqualTo("all");
    for (int i = 0; i < 6; i++) {
      assertThat(joined.data().getFloat(4 * i)).isEqualTo(i + 1);
    }
    assertThat(Rows.join(SPEC, List.of(b), List.of(1), RowsTest::heap).data()).isSameAs(b.data());
    assertThat(Rows.join(SPEC, List.of(), List.of(), RowsTest::heap).shape())
        .isEqualTo(Shape.of(0, 0, 2));
    assertThat(Rows.none(SPEC).sizeBytes()).isZero();
  }

  private static Tensor heap(String name, DataType type, Shape shape, long bytes) {
    return Tensor.of(name, type, shape, ByteBuffer.allocate((int) bytes));
  }

  @Test
  void shouldNameItemsThatDoNotGoTogether() {
    Tensor a = floats(Shape.of(1, 1, 2), 1, 2);
    Tensor wide = floats(Shape.of(1, 2, 1), 1, 2);

    assertThatThrownBy(() -> Rows.join(SPEC, List.of(a, wide), List.of(0, 2), RowsTest::heap))
        .isInstanceOf(InferenceException.class)
        .hasMessage(
            "tensor 'all': item 0 is FP32 [1,1,2] and item 2 is FP32 [1,2,1], which cannot be joined");
  }

  @ParameterizedTest
  @CsvSource({"0, false", "-0.0, false", "NaN, true", "1e-40, true", "-1, true"})
  void shouldHoldWhereAnElementIsNotZero(float value, boolean holds) {
    assertThat(Conditions.holds(floats(Shape.of(2), 0, value))).isEqualTo(holds);
  }

  @Test
  void shouldNotHoldWithoutElementsAndWithoutText() {
    assertThat(Conditions.holds(floats(Shape.of(0)))).isFalse();
    assertThat(Conditions.holds(BytesTensors.ofStrings("t", Shape.of(2), List.of("", ""))))
        .isFalse();
    assertThat(Conditions.holds(BytesTensors.ofStrings("t", Shape.of(2), List.of("", "x"))))
        .isTrue();
    ByteBuffer least = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
    least.putInt(0, Integer.MIN_VALUE);
    assertThat(Conditions.holds(Tensor.of("i", DataType.INT32, Shape.of(1), least))).isTrue();
  }

  private static Tensor row(Rows rows, int index) {
    Tensor row = rows.tryShare(index);
    assertThat(row).isNotNull();
    return row;
  }

  private static Tensor floats(Shape shape, float... values) {
    ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return Tensor.of("x", DataType.FP32, shape, data);
  }
}
