package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PreprocessingRulesTest {

  private static final TensorSpec SCORES = new TensorSpec("scores", DataType.FP32, Shape.of(-1, 2));

  @Test
  void shouldShowImagesToClientsAndTheTensorToTheModel() {
    TensorSpec threshold = new TensorSpec("threshold", DataType.FP32, Shape.of(-1, 1));
    TensorSpec image = new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, -1, -1));
    ModelConfig config = config("'input': 'image', 'height': 4, 'width': 6");
    var completed =
        ModelConfigCompleter.complete(config, List.of(image, threshold), List.of(SCORES));

    assertThat(completed.signature().inputs())
        .containsExactly(new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, 4, 6)), threshold);
    assertThat(completed.config().inputs().get(0).dims()).isEqualTo(Shape.of(3, 4, 6));
    var seen = ModelConfigCompleter.clientSignature(completed.config(), completed.signature());
    assertThat(seen.inputs())
        .containsExactly(new TensorSpec("image", DataType.BYTES, Shape.of(-1, 1)), threshold);
    assertThat(seen.outputs()).containsExactly(SCORES);
    assertThat(seen.maxBatchSize()).isEqualTo(32);
  }

  @Test
  void shouldTakeOneImageWhenTheModelDoesNotBatch() {
    for (Shape shape : List.of(Shape.of(1, 4, 6, 1), Shape.of(4, 6, 1))) {
      TensorSpec image = new TensorSpec("image", DataType.UINT8, shape);
      ModelConfig config =
          config(
              "'input': 'image', 'height': 4, 'width': 6, 'color': 'GRAY', 'layout': 'NHWC',"
                  + " 'data_type': 'TYPE_UINT8'");
      var completed = ModelConfigCompleter.complete(config, List.of(image), List.of(SCORES));

      assertThat(completed.signature().inputs()).containsExactly(image);
      var seen = ModelConfigCompleter.clientSignature(completed.config(), completed.signature());
      assertThat(seen.inputs())
          .containsExactly(new TensorSpec("image", DataType.BYTES, Shape.of(1)));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "'height': 5, 'width': 6 | height: expected height 4, as \"image\" has the shape [-1,3,4,6] read as NCHW, found height 5",
        "'height': 4, 'width': 5 | width: expected width 6, as \"image\" has the shape [-1,3,4,6] read as NCHW, found width 5",
        "'height': 4, 'width': 6, 'color': 'GRAY' | color: expected channels 3, as \"image\" has the shape [-1,3,4,6] read as NCHW, found channels 1 for GRAY",
        "'height': 3, 'width': 4, 'layout': 'NHWC' | color: expected channels 6, as \"image\" has the shape [-1,3,4,6] read as NHWC, found channels 3 for RGB",
        "'height': 4, 'width': 6, 'data_type': 'TYPE_UINT8' | data_type: expected TYPE_FP32, the type of \"image\" in the model, found TYPE_UINT8",
      })
  void shouldRefuseImagesThatTheModelDoesNotTake(String block, String message) {
    TensorSpec image = new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, 4, 6));
    ModelConfig config = config("'input': 'image', " + block);

    assertThatThrownBy(() -> ModelConfigCompleter.complete(config, List.of(image), List.of(SCORES)))
        .isInstanceOf(ConfigException.class)
        .hasMessage("conveyor.preprocessing[0]." + message);
  }

  @Test
  void shouldLeaveSidesOpenThatDifferFromSizeToSize() {
    TensorSpec image = new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, -1, -1));
    TensorSpec boxes = new TensorSpec("boxes", DataType.FP32, Shape.of(-1, -1, 4));
    String sizes =
        "'input': 'image', 'mode': 'PAD', 'sizes': [{'width': 8, 'height': 4},"
            + " {'width': 6, 'height': 4}], 'boxes': [{'output': '%s'}]";
    ModelConfig config = config(sizes.formatted("boxes"));
    var completed = ModelConfigCompleter.complete(config, List.of(image), List.of(boxes, SCORES));
    assertThat(completed.signature().inputs())
        .containsExactly(new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, 4, -1)));

    TensorSpec fixed = new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, 4, 8));
    assertThatThrownBy(
            () -> ModelConfigCompleter.complete(config, List.of(fixed), List.of(boxes, SCORES)))
        .hasMessage(
            "conveyor.preprocessing[0].width: expected width 8, as \"image\" has the shape"
                + " [-1,3,4,8] read as NCHW, found width 6");
    assertThatThrownBy(
            () ->
                ModelConfigCompleter.complete(
                    config(sizes.formatted("scores")), List.of(image), List.of(boxes, SCORES)))
        .hasMessage(
            "conveyor.preprocessing[0].boxes[0].output: expected an output FP32 [..., 4],"
                + " found \"scores\" FP32[-1,2]");
    assertThatThrownBy(
            () ->
                ModelConfigCompleter.complete(
                    config(sizes.formatted("none")), List.of(image), List.of(boxes)))
        .hasMessage(
            "conveyor.preprocessing[0].boxes[0].output: expected an output of the model, which"
                + " has [boxes], found \"none\"");
  }

  @Test
  void shouldRefuseInputsThatAreNoImages() {
    for (Shape shape : List.of(Shape.of(-1, 10), Shape.of(2, 3, 4, 6), Shape.of())) {
      TensorSpec input = new TensorSpec("image", DataType.FP32, shape);
      ModelConfig config = config("'input': 'image', 'height': 4, 'width': 6");

      assertThatThrownBy(
              () -> ModelConfigCompleter.complete(config, List.of(input), List.of(SCORES)))
          .isInstanceOf(ConfigException.class)
          .hasMessage(
              "conveyor.preprocessing[0].input: expected an input for one image, NCHW with or"
                  + " without N, found \"image\" of shape "
                  + shape);
    }
  }

  @Test
  void shouldRefuseUnknownAndRepeatedInputs() {
    TensorSpec image = new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, 4, 6));
    String block = "'input': 'image', 'height': 4, 'width': 6";

    assertThatThrownBy(
            () ->
                ModelConfigCompleter.complete(
                    config("'input': 'img', 'height': 4, 'width': 6"),
                    List.of(image),
                    List.of(SCORES)))
        .hasMessage(
            "conveyor.preprocessing[0].input: expected an input of the model, which has [image],"
                + " found \"img\"");
    assertThatThrownBy(
            () ->
                ModelConfigCompleter.complete(
                    config(block + "}, {" + block), List.of(image), List.of(SCORES)))
        .hasMessage("conveyor.preprocessing[1].input: \"image\" has preprocessing already");
  }

  private static ModelConfig config(String block) {
    String json = "{'conveyor': {'preprocessing': [{" + block + "}]}}";
    return ModelConfigReader.read("m", json.replace('\'', '"'));
  }
}
