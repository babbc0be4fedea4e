package dev.conveyor.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Assume;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

final class BytesTensorsTest {

  @Test
  void shouldReadBackWhatItBuilt() {
    List<byte[]> elements = List.of(new byte[] {1, 2, 3}, new byte[0], new byte[] {4});

    Tensor tensor = BytesTensors.of("text", Shape.of(3), elements);

    assertThat(tensor.type()).isEqualTo(DataType.BYTES);
    assertThat(tensor.sizeBytes()).isEqualTo(3 * 4 + 4);
    assertThat(tensor.data().getInt(0)).isEqualTo(3);
    assertThat(BytesTensors.count(tensor)).isEqualTo(3);
    assertThat(bytes(tensor)).containsExactlyElementsOf(elements);
  }

  @Test
  void shouldReadElementsOfNativeMemoryInPlaceAndReadOnly() {
    ByteBuffer data = ByteBuffer.allocateDirect(12).order(ByteOrder.LITTLE_ENDIAN);
    data.putInt(8).putInt(77).putInt(78).flip();

    List<ByteBuffer> elements = BytesTensors.elements(tensor(Shape.of(1), data));

    data.putInt(4, 99);
    assertThat(elements.get(0).isReadOnly()).isTrue();
    assertThat(elements.get(0).getInt(0)).isEqualTo(99);
    assertThat(elements.get(0).remaining()).isEqualTo(8);
  }

  @Test
  void shouldKeepTextWhenItIsNotAscii() {
    List<String> text = List.of("", "Größe", "画像", "a\u0000b");

    Tensor tensor = BytesTensors.ofStrings("text", Shape.of(2, 2), text);

    assertThat(BytesTensors.strings(tensor)).isEqualTo(text);
  }

  @Test
  void shouldCountElementsOfScalarAndOfEmptyShape() {
    assertThat(BytesTensors.count(BytesTensors.ofStrings("s", Shape.of(), List.of("x"))))
        .isEqualTo(1);
    Tensor empty = BytesTensors.ofStrings("s", Shape.of(0, 4), List.of());
    assertThat(BytesTensors.count(empty)).isZero();
    assertThat(BytesTensors.elements(empty)).isEmpty();
  }

  @Test
  void shouldRefuseLengthThatGoesOneByteBeyondTheEnd() {
    ByteBuffer data = ints(4, 0);
    assertThat(BytesTensors.count(tensor(Shape.of(1), data))).isEqualTo(1);

    data.putInt(0, 5);

    assertInvalid(
        () -> BytesTensors.count(tensor(Shape.of(1), data)),
        "tensor 'text': element 0 claims 5 bytes, 4 are left");
  }

  @Test
  void shouldRefuseLengthThatWouldOverflowAnInt() {
    assertInvalid(
        () -> BytesTensors.count(tensor(Shape.of(1), ints(Integer.MAX_VALUE))),
        "tensor 'text': element 0 claims 2147483647 bytes, 0 are left");
    assertInvalid(
        () -> BytesTensors.count(tensor(Shape.of(1), ints(-1, 0))),
        "tensor 'text': element 0 claims 4294967295 bytes, 4 are left");
  }

  @Test
  void shouldRefuseTooFewAndTooManyElements() {
    assertInvalid(
        () -> BytesTensors.count(tensor(Shape.of(2), ints(4, 0))),
        "tensor 'text': the data ends after 1 of 2 elements of shape [2]");
    assertInvalid(
        () -> BytesTensors.count(tensor(Shape.of(1), ints(0, 0))),
        "tensor 'text': 4 bytes are left after the 1 elements of shape [1]");
    assertInvalid(
        () -> BytesTensors.count(tensor(Shape.of(0), ints(0))),
        "tensor 'text': 4 bytes are left after the 0 elements of shape [0]");
  }

  @Test
  void shouldRefuseShapeLargerThanItsDataBeforeAllocatingForIt() {
    assertInvalid(
        () -> BytesTensors.elements(tensor(Shape.of(1L << 40), ints(0, 0))),
        "tensor 'text': 1099511627776 elements of shape [1099511627776] do not fit into 8 bytes");
    assertInvalid(
        () -> BytesTensors.strings(tensor(Shape.of(1L << 40, 1L << 40), ints(0))),
        "tensor 'text': shape [1099511627776,1099511627776] has too many elements");
  }

  @Test
  void shouldRefuseOtherTypesAndDynamicShapes() {
    assertInvalid(
        () -> BytesTensors.count(Tensor.of("x", DataType.INT32, Shape.of(1), ints(0))),
        "tensor 'x': must be BYTES, is INT32");
    assertInvalid(
        () -> BytesTensors.count(tensor(Shape.of(Shape.DYNAMIC), ints(0))),
        "tensor 'text': shape [-1] has a dynamic dimension");
  }

  @Test
  void shouldNotBuildTensorWhenShapeHasAnotherNumberOfElements() {
    assertThatThrownBy(() -> BytesTensors.ofStrings("text", Shape.of(2), List.of("a")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("text: 1 elements for shape [2]");
  }

  @Property
  void shouldRoundTripAnyElements(@ForAll @Size(max = 20) List<byte[]> elements) {
    Tensor tensor = BytesTensors.of("text", Shape.of(elements.size()), elements);

    assertThat(bytes(tensor)).containsExactlyElementsOf(elements);
  }

  @Property
  void shouldNeverAcceptDataThatWasCutShort(
      @ForAll @Size(min = 1, max = 5) List<byte[]> elements, @ForAll @IntRange(max = 500) int cut) {
    Tensor whole = BytesTensors.of("text", Shape.of(elements.size()), elements);
    Assume.that(cut < whole.sizeBytes());
    Tensor part = tensor(whole.shape(), whole.data().duplicate().limit(cut));

    assertThat(catchThrowable(() -> BytesTensors.count(part)))
        .isInstanceOf(InferenceException.class);
  }

  @Property
  void shouldReadOrRefuseAnyBytes(@ForAll byte[] data, @ForAll @IntRange(max = 5) int count) {
    Tensor tensor = tensor(Shape.of(count), ByteBuffer.wrap(data));

    Throwable thrown = catchThrowable(() -> BytesTensors.count(tensor));

    if (thrown == null) {
      int total = bytes(tensor).stream().mapToInt(e -> e.length).sum();
      assertThat(total + 4 * count).isEqualTo(data.length);
    } else {
      assertThat(thrown).isInstanceOf(InferenceException.class);
    }
  }

  private static void assertInvalid(ThrowingCallable call, String message) {
    assertThatThrownBy(call)
        .hasMessage(message)
        .isInstanceOfSatisfying(
            InferenceException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
  }

  private static List<byte[]> bytes(Tensor tensor) {
    List<byte[]> all = new ArrayList<>();
    for (ByteBuffer element : BytesTensors.elements(tensor)) {
      byte[] bytes = new byte[element.remaining()];
      element.get(bytes);
      all.add(bytes);
    }
    return all;
  }

  private static Tensor tensor(Shape shape, ByteBuffer data) {
    return Tensor.of("text", DataType.BYTES, shape, data);
  }

  private static ByteBuffer ints(int... values) {
    ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int value : values) {
      data.putInt(value);
    }
    return data.flip();
  }
}
