package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class ModelConfigCompleterTest {

  private static final List<TensorSpec> IMAGES = specs("x", -1, 3, -1, 224);
  private static final List<TensorSpec> CLASSES = specs("y", -1, 10);

  @Test
  void shouldBatchUpToDefaultWhenEveryFirstDimensionIsDynamic() {
    var completed = ModelConfigCompleter.complete(ModelConfig.empty("m"), IMAGES, CLASSES);

    assertThat(completed.config().maxBatchSize()).isEqualTo(32);
    assertThat(completed.config().backend()).isEqualTo("onnxruntime");
    assertThat(completed.config().dynamicBatching()).contains(DynamicBatching.DEFAULT);
    assertThat(completed.config().instanceGroups()).containsExactly(InstanceGroup.DEFAULT);
    assertThat(completed.config().inputs())
        .containsExactly(new TensorConfig("x", DataType.FP32, Shape.of(3, -1, 224), ""));
    assertThat(completed.config().outputs())
        .containsExactly(new TensorConfig("y", DataType.FP32, Shape.of(10), ""));
    assertThat(completed.signature()).isEqualTo(new ModelSignature(IMAGES, CLASSES, 32));
  }

  @Test
  void shouldNotBatchWhenAFirstDimensionIsFixedOrMissing() {
    for (List<TensorSpec> outputs : List.of(specs("y", 4, 10), specs("y"))) {
      var completed = ModelConfigCompleter.complete(ModelConfig.empty("m"), IMAGES, outputs);

      assertThat(completed.config().maxBatchSize()).isZero();
      assertThat(completed.config().dynamicBatching()).isEmpty();
      assertThat(completed.signature()).isEqualTo(new ModelSignature(IMAGES, outputs, 0));
      assertThat(completed.config().inputs().get(0).dims()).isEqualTo(Shape.of(-1, 3, -1, 224));
    }
  }

  @Test
  void shouldNotBatchWhenConfiguredDimsCountTheFirstDimension() {
    var completed = complete("{'input': [{'name': 'x', 'dims': [-1, 3, 224, 224]}]}");

    assertThat(completed.config().maxBatchSize()).isZero();
    assertThat(completed.signature().inputs().get(0).shape()).isEqualTo(Shape.of(-1, 3, 224, 224));
  }

  @Test
  void shouldNotGroupRequestsWhenTheFileSetsABatchSizeOnly() {
    var completed = complete("{'max_batch_size': 4}");

    assertThat(completed.config().dynamicBatching()).isEmpty();
    assertThat(completed.signature().maxBatchSize()).isEqualTo(4);
  }

  @Test
  void shouldTakeTheFixedDimensionOfEitherSide() {
    var completed =
        complete(
            """
            {'max_batch_size': 4,
             'input': [{'name': 'x', 'data_type': 'TYPE_FP32', 'dims': [-1, 96, -1]}],
             'output': [{'name': 'y', 'label_filename': 'l.txt'}]}
            """);

    assertThat(completed.signature().inputs())
        .containsExactly(new TensorSpec("x", DataType.FP32, Shape.of(-1, 3, 96, 224)));
    assertThat(completed.config().inputs().get(0).dims()).isEqualTo(Shape.of(3, 96, 224));
    assertThat(completed.config().outputs())
        .containsExactly(new TensorConfig("y", DataType.FP32, Shape.of(10), "l.txt"));
  }

  @Test
  void shouldChangeNothingWhenCompletedAgain() {
    var once =
        complete(
            "{'max_batch_size': 4, 'input': [{'name': 'x', 'format': 'FORMAT_NCHW'}],"
                + " 'output': [{'name': 'y', 'dims': [5, 2], 'reshape': {'shape': [10]}}]}");

    assertThat(ModelConfigCompleter.complete(once.config(), IMAGES, CLASSES)).isEqualTo(once);
  }

  @Test
  void shouldShowClientsOneShapeAndTheModelAnother() {
    var completed =
        complete(
            """
            {'max_batch_size': 4,
             'input': [{'name': 'x', 'dims': [-1, 12], 'reshape': {'shape': [-1, 3, 4]}}],
             'output': [{'name': 'y', 'dims': [1], 'reshape': {'shape': []}}]}
            """,
            specs("x", -1, 7, 3, -1),
            specs("y", -1));

    assertThat(completed.signature().inputs())
        .containsExactly(new TensorSpec("x", DataType.FP32, Shape.of(-1, 7, 3, 4)));
    var seen = ModelConfigCompleter.tensorSignature(completed.config(), completed.signature());
    assertThat(seen.inputs())
        .containsExactly(new TensorSpec("x", DataType.FP32, Shape.of(-1, 7, 12)));
    assertThat(seen.outputs()).containsExactly(new TensorSpec("y", DataType.FP32, Shape.of(-1, 1)));
    assertThat(completed.config().inputs().get(0).reshape()).contains(Shape.of(7, 3, 4));
  }

  @Test
  void shouldHoldTheReshapedShapeAgainstTheModel() {
    ConfigException refused =
        refused(
            "{'input': [{'name': 'x', 'dims': [12], 'reshape': {'shape': [4, 3]}}]}",
            specs("x", -1, 3, 4),
            specs("y", -1, 10));

    assertThat(refused.key()).isEqualTo("input[0].reshape.shape");
    assertThat(refused.found()).isEqualTo("[4,3]");
  }

  @Test
  void shouldRefuseToReshapeWhatPreprocessingMakes() {
    ConfigException refused =
        refused(
            """
            {'input': [{'name': 'x', 'dims': [48], 'reshape': {'shape': [3, 4, 4]}}],
             'conveyor': {'preprocessing': [{'input': 'x', 'height': 4, 'width': 4}]}}
            """,
            specs("x", -1, 3, 4, 4),
            specs("y", -1, 10));

    assertThat(refused.key()).isEqualTo("input[0].reshape");
  }

  @Test
  void shouldRefuseABatchSizeForAModelWithoutBatchDimension() {
    ConfigException refused = refused("{'max_batch_size': 8}", IMAGES, specs("y", 1, 10));

    assertThat(refused.key()).isEqualTo("max_batch_size");
    assertThat(refused.expected())
        .isEqualTo(
            "0, because the model's output \"y\" has the shape [1,10], whose first dimension is"
                + " not dynamic");
    assertThat(refused.found()).isEqualTo("8");
  }

  @Test
  void shouldRefuseNamesThatTheModelDoesNotHave() {
    ConfigException refused =
        refused("{'output': [{'name': 'y'}, {'name': 'z'}]}", IMAGES, CLASSES);

    assertThat(refused)
        .hasMessage("output[1].name: expected an output of the model, which has [y], found \"z\"");
  }

  @Test
  void shouldRefuseAnotherType() {
    ConfigException refused =
        refused("{'input': [{'name': 'x', 'data_type': 'TYPE_FP16'}]}", IMAGES, CLASSES);

    assertThat(refused)
        .hasMessage(
            "input[0].data_type: expected TYPE_FP32, the type of \"x\" in the model, found"
                + " TYPE_FP16");
  }

  @Test
  void shouldRefuseAnotherShape() {
    String batched = "{'max_batch_size': 2, 'input': [{'name': 'x', 'dims': %s}]}";
    for (String dims : List.of("[3, 224, 225]", "[3, 224]", "[-1, 3, 224, 224]")) {
      ConfigException refused = refused(batched.formatted(dims), IMAGES, CLASSES);

      assertThat(refused.key()).isEqualTo("input[0].dims");
      assertThat(refused.expected())
          .isEqualTo("[3,-1,224], the shape of \"x\" in the model without its batch dimension");
      assertThat(refused.found()).isEqualTo(dims.replace(" ", ""));
    }
  }

  @Test
  void shouldRefusePreferredSizesAboveTheDefaultBatchSize() {
    ConfigException refused =
        refused("{'dynamic_batching': {'preferred_batch_size': [64]}}", IMAGES, CLASSES);

    assertThat(refused.key()).isEqualTo("dynamic_batching.preferred_batch_size");
    assertThat(refused.expected()).isEqualTo("at most max_batch_size=32");
  }

  @Test
  void shouldRefuseWarmupsThatAreNoRequests() {
    String warmup =
        "{'max_batch_size': 2, 'model_warmup': [{'batch_size': %s, 'inputs': {'%s':"
            + " {'data_type': '%s', 'dims': [%s], 'zero_data': true}}}]}";

    assertThat(complete(warmup.formatted(2, "x", "TYPE_FP32", "3, 1, 224")).config().warmups())
        .hasSize(1);
    assertThat(refused(warmup.formatted(3, "x", "TYPE_FP32", "3, 1, 224"), IMAGES, CLASSES))
        .hasMessage("model_warmup[0].batch_size: expected at most 2, found 3");
    assertThat(refused(warmup.formatted(1, "y", "TYPE_FP32", "3, 1, 224"), IMAGES, CLASSES))
        .hasMessageStartingWith("model_warmup[0].inputs.y: ");
    assertThat(refused(warmup.formatted(1, "x", "TYPE_INT8", "3, 1, 224"), IMAGES, CLASSES))
        .hasMessageStartingWith("model_warmup[0].inputs.x.data_type: expected TYPE_FP32");
    assertThat(refused(warmup.formatted(1, "x", "TYPE_FP32", "3, 1, 223"), IMAGES, CLASSES))
        .hasMessageStartingWith("model_warmup[0].inputs.x.dims: expected [3,-1,224]");
    assertThat(refused("{'model_warmup': [{'count': 1}]}", IMAGES, CLASSES))
        .hasMessage("model_warmup[0].inputs: expected every input of the model, found no x");
  }

  @Property(tries = 300)
  void shouldKeepEveryDimensionThatIsFixedOnEitherSide(
      @ForAll @Size(min = 1, max = 4) List<@LongRange(min = -1, max = 3) Long> declared,
      @ForAll @Size(min = 1, max = 4) List<@LongRange(min = -1, max = 3) Long> configured,
      @ForAll @IntRange(min = 0, max = 1) int batches) {
    Shape model = Shape.of(declared.stream().map(d -> d == 0 ? -1 : d).toList());
    Shape dims = Shape.of(configured.stream().map(d -> d == 0 ? -1 : d).toList());
    List<TensorSpec> specs =
        List.of(new TensorSpec("x", DataType.FP32, batches > 0 ? model.withBatch(-1) : model));
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            "{\"max_batch_size\": %d, \"input\": [{\"name\": \"x\", \"dims\": %s}]}"
                .formatted(batches, dims));

    boolean compatible = model.rank() == dims.rank();
    for (int i = 0; compatible && i < model.rank(); i++) {
      compatible = model.dim(i) == -1 || dims.dim(i) == -1 || model.dim(i) == dims.dim(i);
    }
    if (!compatible) {
      assertThat(refused(config, specs, List.of()).key()).isEqualTo("input[0].dims");
      return;
    }
    var completed = ModelConfigCompleter.complete(config, specs, List.of());
    Shape merged = completed.config().inputs().get(0).dims();
    for (int i = 0; i < model.rank(); i++) {
      assertThat(merged.dim(i)).isEqualTo(model.dim(i) == -1 ? dims.dim(i) : model.dim(i));
    }
    Shape full = completed.signature().inputs().get(0).shape();
    assertThat(full).isEqualTo(batches > 0 ? merged.withBatch(-1) : merged);
  }

  private static List<TensorSpec> specs(String name, long... shape) {
    return List.of(new TensorSpec(name, DataType.FP32, Shape.of(shape)));
  }

  private static ModelConfigCompleter.Completed complete(String json) {
    return complete(json, IMAGES, CLASSES);
  }

  private static ModelConfigCompleter.Completed complete(
      String json, List<TensorSpec> inputs, List<TensorSpec> outputs) {
    return ModelConfigCompleter.complete(
        ModelConfigReader.read("m", json.replace('\'', '"')), inputs, outputs);
  }

  private static ConfigException refused(
      String json, List<TensorSpec> inputs, List<TensorSpec> outputs) {
    return refused(ModelConfigReader.read("m", json.replace('\'', '"')), inputs, outputs);
  }

  private static ConfigException refused(
      ModelConfig config, List<TensorSpec> inputs, List<TensorSpec> outputs) {
    return catchThrowableOfType(
        ConfigException.class, () -> ModelConfigCompleter.complete(config, inputs, outputs));
  }
}
