package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PayloadsTest {

  private static TensorSpec spec(DataType type, long... dims) {
    return new TensorSpec("in", type, Shape.of(dims));
  }

  @ParameterizedTest
  @EnumSource(DataType.class)
  void shouldFillEveryTypeWithTheBytesItsShapeNeeds(DataType type) {
    List<TensorSpec> inputs = List.of(spec(type, -1, 3, -1));
    for (Payloads.Fill fill : Payloads.Fill.values()) {
      InferPayload payload = Payloads.synthetic("m", inputs, List.of(), 4, fill).get(0);
      RequestTensor tensor = payload.inputs().get(0);
      boolean strings = type == DataType.BYTES;
      int elementBytes = strings ? (fill == Payloads.Fill.ZEROS ? 4 : 5) : type.sizeBytes();

      assertThat(tensor.shape()).isEqualTo(Shape.of(4, 3, 1));
      assertThat(tensor.data().length()).isEqualTo(12 * elementBytes);
      assertThat(payload.items()).isEqualTo(4);
    }
  }

  @Test
  void shouldVaryRandomDataAndRepeatItFromRunToRun() {
    List<TensorSpec> inputs = List.of(spec(DataType.FP32, 8));

    var first = Payloads.synthetic("m", inputs, List.of(), 1, Payloads.Fill.RANDOM);
    var second = Payloads.synthetic("m", inputs, List.of(), 1, Payloads.Fill.RANDOM);

    assertThat(first).isEqualTo(second);
    assertThat(first.get(0).inputs().get(0).data())
        .isNotEqualTo(first.get(1).inputs().get(0).data());
  }

  @Test
  void shouldCountOneItemWhenTheModelDoesNotBatch() {
    var payload =
        Payloads.synthetic(
            "m", List.of(spec(DataType.FP32, 1, 16)), List.of(), 8, Payloads.Fill.ZEROS);

    assertThat(payload.get(0).items()).isEqualTo(1);
    assertThat(payload.get(0).inputs().get(0).shape()).isEqualTo(Shape.of(1, 16));
  }

  @Test
  void shouldSendEachImageInTurnWithItsLength() {
    List<Buffer> images = List.of(Buffer.buffer("aa"), Buffer.buffer("b"), Buffer.buffer("cccc"));

    List<InferPayload> payloads =
        Payloads.images("m", List.of(spec(DataType.BYTES, -1, 1)), List.of(), 2, images);

    assertThat(payloads).hasSize(3);
    Buffer last = payloads.get(2).inputs().get(0).data();
    assertThat(last)
        .isEqualTo(
            Buffer.buffer().appendIntLE(4).appendString("cccc").appendIntLE(2).appendString("aa"));
    assertThat(payloads.get(2).items()).isEqualTo(2);
  }

  @Test
  void shouldRefuseImagesForAModelThatTakesNumbers() {
    assertThatThrownBy(
            () ->
                Payloads.images(
                    "m",
                    List.of(spec(DataType.FP32, -1, 3)),
                    List.of(),
                    1,
                    List.of(Buffer.buffer("x"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("model m does not take images");
  }

  @Test
  void shouldReadImagesInTheOrderOfTheirNames(@TempDir Path directory) throws IOException {
    Files.writeString(directory.resolve("b.JPEG"), "2");
    Files.writeString(directory.resolve("a.png"), "1");
    Files.writeString(directory.resolve("c.txt"), "3");

    assertThat(Payloads.readImages(directory))
        .containsExactly(Buffer.buffer("1"), Buffer.buffer("2"));
  }

  @Test
  void shouldSayWhenADirectoryHasNoImages(@TempDir Path directory) {
    assertThatThrownBy(() -> Payloads.readImages(directory))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no .jpg");
  }
}
