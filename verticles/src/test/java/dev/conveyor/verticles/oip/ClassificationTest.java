package dev.conveyor.verticles.oip;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class ClassificationTest {

  @Test
  void shouldGiveTheLargestOfEachRowWithLabels() {
    Tensor scores = fp32(Shape.of(2, 3), 0.25f, 0.5f, 0.125f, -1, -2, 4);

    Tensor top = Classification.topK(scores, 2, List.of("a", "b"), true);

    assertThat(top.name()).isEqualTo("scores");
    assertThat(top.type()).isEqualTo(DataType.BYTES);
    assertThat(top.shape()).isEqualTo(Shape.of(2, 2));
    assertThat(strings(top))
        .containsExactly("0.500000:1:b", "0.250000:0:a", "4.000000:2", "-1.000000:0:a");
  }

  @Test
  void shouldTreatAnUnbatchedOutputAsOneRowAndGiveAsManyAsThereAre() {
    Tensor top = Classification.topK(fp32(Shape.of(1, 2), 1, 2), 9, List.of(), false);

    assertThat(top.shape()).isEqualTo(Shape.of(2));
    assertThat(strings(top)).containsExactly("2.000000:1", "1.000000:0");
    assertThat(strings(Classification.topK(fp32(Shape.of(), 3), 1, List.of(), true)))
        .containsExactly("3.000000:0");
  }

  @Test
  void shouldGiveNothingForEmptyOutputs() {
    assertThat(Classification.topK(fp32(Shape.of(0, 4)), 2, List.of(), true).shape())
        .isEqualTo(Shape.of(0, 0));
    assertThat(Classification.topK(fp32(Shape.of(2, 0)), 2, List.of(), true).shape())
        .isEqualTo(Shape.of(2, 0));
  }

  @Test
  void shouldPrintLikeC() {
    assertThat(printed(1e-7f, 0.0000005f, -0.0f, -1e-9f))
        .as("the exact value of 0.0000005f is just below")
        .containsExactlyInAnyOrder("0.000000", "0.000000", "-0.000000", "-0.000000");
    assertThat(printed(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0.1f))
        .containsExactly("inf", "0.100000", "-inf", "nan");
    assertThat(printed(Float.MAX_VALUE))
        .containsExactly("340282346638528859811704183484516925440.000000");
  }

  @Test
  void shouldOrderEveryNumericType() {
    assertThat(top1(DataType.UINT8, buffer(2).put((byte) 200).put((byte) 100))).isEqualTo("200:0");
    assertThat(top1(DataType.INT8, buffer(2).put((byte) 200).put((byte) 100))).isEqualTo("100:1");
    assertThat(top1(DataType.UINT16, buffer(4).putShort((short) -1).putShort((short) 1)))
        .isEqualTo("65535:0");
    assertThat(top1(DataType.INT16, buffer(4).putShort((short) -1).putShort((short) 1)))
        .isEqualTo("1:1");
    assertThat(top1(DataType.UINT32, buffer(8).putInt(-1).putInt(1))).isEqualTo("4294967295:0");
    assertThat(top1(DataType.INT32, buffer(8).putInt(-1).putInt(1))).isEqualTo("1:1");
    assertThat(top1(DataType.UINT64, buffer(16).putLong(-1).putLong(1)))
        .isEqualTo("18446744073709551615:0");
    assertThat(top1(DataType.INT64, buffer(16).putLong((1L << 53) + 1).putLong(1L << 53)))
        .isEqualTo("9007199254740993:0");
    assertThat(top1(DataType.FP64, buffer(16).putDouble(-2).putDouble(-1.5)))
        .isEqualTo("-1.500000:1");
    assertThat(top1(DataType.BF16, buffer(4).putShort((short) 0x3f80).putShort((short) 0xc000)))
        .isEqualTo("1.000000:0");
    assertThat(top1(DataType.FP16, buffer(4).putShort((short) 0xbc00).putShort((short) 0x3555)))
        .isEqualTo("0.333252:1");
    assertThat(top1(DataType.FP16, buffer(4).putShort((short) 0x0001).putShort((short) 0x8001)))
        .as("subnormal")
        .isEqualTo("0.000000:0");
    assertThat(top1(DataType.FP16, buffer(4).putShort((short) 0x7c00).putShort((short) 0x7e00)))
        .isEqualTo("inf:0");
  }

  @Test
  void shouldRefuseWhatHasNoOrder() {
    for (DataType type : List.of(DataType.BOOL, DataType.BYTES)) {
      Tensor output = Tensor.of("o", type, Shape.of(0), ByteBuffer.allocate(0));
      assertThatThrownBy(() -> Classification.topK(output, 1, List.of(), false))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("unsupported type '" + type + "'");
    }
    assertThatThrownBy(() -> Classification.topK(fp32(Shape.of(1), 1), 0, List.of(), false))
        .isInstanceOf(InferenceException.class);
  }

  @Property(tries = 300)
  void shouldAgreeWithSorting(
      @ForAll @Size(max = 40) List<@IntRange(min = -5, max = 5) Integer> values,
      @ForAll @IntRange(min = 1, max = 45) int k) {
    ByteBuffer data = buffer(4 * values.size());
    values.forEach(data::putInt);
    Tensor output = Tensor.of("o", DataType.INT32, Shape.of(values.size()), data.flip());

    List<String> expected =
        IntStream.range(0, values.size())
            .boxed()
            .sorted(Comparator.comparing((Integer i) -> -values.get(i)))
            .limit(k)
            .map(i -> values.get(i) + ":" + i)
            .toList();

    assertThat(strings(Classification.topK(output, k, List.of(), false)))
        .containsExactlyElementsOf(expected);
  }

  private static List<String> printed(float... values) {
    return strings(Classification.topK(fp32(Shape.of(values.length), values), 9, List.of(), false))
        .stream()
        .map(text -> text.substring(0, text.indexOf(':')))
        .toList();
  }

  private static String top1(DataType type, ByteBuffer two) {
    Tensor output = Tensor.of("o", type, Shape.of(2), two.flip());
    return strings(Classification.topK(output, 1, List.of(), false)).get(0);
  }

  private static Tensor fp32(Shape shape, float... values) {
    ByteBuffer data = buffer(4 * values.length);
    for (float value : values) {
      data.putFloat(value);
    }
    return Tensor.of("scores", DataType.FP32, shape, data.flip());
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static List<String> strings(Tensor tensor) {
    List<String> strings = new ArrayList<>();
    ByteBuffer data = tensor.data().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    while (data.hasRemaining()) {
      byte[] text = new byte[data.getInt()];
      data.get(text);
      strings.add(new String(text, StandardCharsets.UTF_8));
    }
    return strings;
  }
}
