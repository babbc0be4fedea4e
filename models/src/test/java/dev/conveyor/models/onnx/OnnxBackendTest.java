package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.DataType;
import dev.conveyor.models.OnnxFiles;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class OnnxBackendTest {

  private record Request(int batchSize, List<Tensor> inputs) implements BatchRequest {}

  @TempDir private Path dir;

  private final MemoryBudget budget = new MemoryBudget("CPU", 64L << 20);
  private final OnnxBackend backend = new OnnxBackend();

  @Test
  void shouldSplitABatchToTheRequestsItCameFrom() {
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 2);
    try (LoadedModel model = backend.load(file, options());
        ModelExecutor executor = model.newExecutor(4)) {
      assertThat(model.inputs())
          .containsExactly(new TensorSpec("INPUT0", DataType.FP32, Shape.of(-1, 2)));
      BatchResult result =
          executor.execute(
              List.of(floats(1, 1f, 2f), floats(2, 3f, 4f, 5f, 6f), floats(1, 7f, 8f)));

      assertThat(floats(result, 0)).containsExactly(1f, 2f);
      assertThat(floats(result, 1)).containsExactly(3f, 4f, 5f, 6f);
      assertThat(floats(result, 2)).containsExactly(7f, 8f);
      assertThat(result.outputs().get(1).get(0).shape()).isEqualTo(Shape.of(2, 2));
      assertThat(floats(executor.execute(List.of(floats(1, 9f, 10f))), 0)).containsExactly(9f, 10f);
    }
    assertThat(budget.reservedBytes()).as("everything is returned").isZero();
  }

  @Test
  void shouldWarmUpAnyNumberOfTimes() {
    assertThatCode(backend::warmUp).doesNotThrowAnyException();
    assertThatCode(backend::warmUp).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "dnnl"})
  void shouldExecuteOnTheProviderThatTheModelNames(String provider) {
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 2);
    try (LoadedModel model = backend.load(file, on(provider));
        ModelExecutor executor = model.newExecutor(4)) {
      BatchResult result = executor.execute(List.of(floats(2, 3f, 4f, 5f, 6f)));
      assertThat(floats(result, 0)).containsExactly(3f, 4f, 5f, 6f);
    }
  }

  @Test
  void shouldNameTheProvidersThereAreWhenAModelNamesAnother() {
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 2);
    assertThatThrownBy(() -> backend.load(file, on("abacus")))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining(
            "parameters.execution_provider: expected one of [cpu, dnnl], found \"abacus\"");
  }

  private static LoadOptions on(String provider) {
    return new LoadOptions(
        "test",
        1,
        new MemoryBudget("CPU", 1 << 30),
        Map.of(OnnxBackend.PROVIDER_PARAMETER, provider));
  }

  @Test
  void shouldReadALargeRequestWhereItLiesAndTheSlabAgainAfterwards() {
    int width = 8192;
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), width);
    try (BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);
        LoadedModel model = backend.load(file, options());
        ModelExecutor executor = model.newExecutor(2)) {
      Lease lease = pool.acquire(width * 4L);
      lease.buffer().asFloatBuffer().put(width - 1, 42f);
      Tensor large =
          Tensor.ofLease("INPUT0", DataType.FP32, Shape.of(1, width), lease, 0, width * 4);
      BatchResult borrowed = executor.execute(List.of(new Request(1, List.of(large))));
      large.close();
      assertThat(floats(borrowed, 0)[width - 1]).isEqualTo(42f);

      float[] other = new float[width];
      other[width - 1] = 7f;
      assertThat(floats(executor.execute(List.of(floats(1, other))), 0)[width - 1]).isEqualTo(7f);
    }
  }

  @Test
  void shouldRunModelsThatDoNotBatchAndScalars() {
    OnnxFiles.Value in = new OnnxFiles.Value("x", OnnxFiles.INT64, List.of());
    OnnxFiles.Value out = new OnnxFiles.Value("y", OnnxFiles.INT64, List.of());
    Path file = OnnxFiles.oneNode(dir.resolve("model.onnx"), "Identity", List.of(in), List.of(out));
    try (LoadedModel model = backend.load(file, options());
        ModelExecutor executor = model.newExecutor(0)) {
      ByteBuffer data = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, -5);
      Tensor scalar = Tensor.of("x", DataType.INT64, Shape.of(), data);
      BatchResult result = executor.execute(List.of(new Request(1, List.of(scalar))));
      assertThat(result.outputs().get(0).get(0).data().getLong(0)).isEqualTo(-5);
      assertThat(result.outputs().get(0).get(0).shape().rank()).isZero();
    }
  }

  @Test
  void shouldCarryStringsOfAnyBytesThroughABatch() {
    OnnxFiles.Value in = new OnnxFiles.Value("x", OnnxFiles.STRING, List.of("n", 2));
    OnnxFiles.Value out = new OnnxFiles.Value("y", OnnxFiles.STRING, List.of("n", 2));
    Path file = OnnxFiles.oneNode(dir.resolve("model.onnx"), "Identity", List.of(in), List.of(out));
    try (LoadedModel model = backend.load(file, options());
        ModelExecutor executor = model.newExecutor(4)) {
      BatchResult result =
          executor.execute(List.of(strings(1, "a\0b", ""), strings(2, "ä", "c", "dd", "e")));
      assertThat(bytes(result, 0)).isEqualTo(bytes(strings(1, "a\0b", "")));
      assertThat(bytes(result, 1)).isEqualTo(bytes(strings(2, "ä", "c", "dd", "e")));
    }
  }

  @Test
  void shouldRunShapesThatVaryAndEmptyTensors() {
    OnnxFiles.Value in = new OnnxFiles.Value("x", OnnxFiles.FLOAT, List.of("n", "m"));
    OnnxFiles.Value out = new OnnxFiles.Value("y", OnnxFiles.FLOAT, List.of("n", "m"));
    Path file = OnnxFiles.oneNode(dir.resolve("model.onnx"), "Identity", List.of(in), List.of(out));
    try (LoadedModel model = backend.load(file, options());
        ModelExecutor executor = model.newExecutor(Integer.MAX_VALUE)) {
      for (int width : new int[] {3, 1, 40, 0}) {
        float[] values = new float[width];
        java.util.Arrays.fill(values, width);
        BatchResult result = executor.execute(List.of(floats(1, values), floats(1, values)));
        assertThat(floats(result, 0)).containsExactly(values);
        assertThat(result.outputs().get(1).get(0).shape()).isEqualTo(Shape.of(1, width));
      }
    }
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldSayWhatIsWrongWithAFileAndReserveNothing() throws Exception {
    Path garbage = Files.writeString(dir.resolve("garbage.onnx"), "not a model");
    assertThatThrownBy(() -> backend.load(garbage, options()))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("garbage.onnx");
    Path missing = dir.resolve("missing.onnx");
    assertThatThrownBy(() -> backend.load(missing, options()))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("missing.onnx");
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldRefuseAnInstanceWhoseSlabsDoNotFitTheBudget() {
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 1 << 20);
    try (LoadedModel model = backend.load(file, options())) {
      assertThatThrownBy(() -> model.newExecutor(64)).hasMessageContaining("are free");
      assertThat(budget.reservedBytes()).isEqualTo(model.reservedBytes());
    }
  }

  @Test
  void shouldGoOnServingAfterAFailedRun() {
    OnnxFiles.Value a = new OnnxFiles.Value("a", OnnxFiles.FLOAT, List.of("n", "m"));
    OnnxFiles.Value b = new OnnxFiles.Value("b", OnnxFiles.FLOAT, List.of("n", "k"));
    OnnxFiles.Value sum = new OnnxFiles.Value("sum", OnnxFiles.FLOAT, List.of("n", "j"));
    Path file = OnnxFiles.oneNode(dir.resolve("model.onnx"), "Add", List.of(a, b), List.of(sum));
    try (LoadedModel model = backend.load(file, options());
        ModelExecutor executor = model.newExecutor(1)) {
      Tensor two = floats(1, 1f, 2f).inputs().get(0);
      Tensor three = floats(1, 1f, 2f, 3f).inputs().get(0);
      assertThatThrownBy(() -> executor.execute(List.of(new Request(1, List.of(two, three)))))
          .isInstanceOf(ExecutionException.class);
      BatchResult result = executor.execute(List.of(new Request(1, List.of(two, two))));
      assertThat(floats(result, 0)).containsExactly(2f, 4f);
    }
  }

  @Test
  void shouldTellWhatAFileTakesAndGivesWithoutLoadingIt() throws Exception {
    OnnxFiles.Value in = new OnnxFiles.Value("in", OnnxFiles.INT64, List.of("batch", 3, "any"));
    OnnxFiles.Value out = new OnnxFiles.Value("out", OnnxFiles.FLOAT, List.of("batch", 7));
    Path file =
        OnnxFiles.oneNode(dir.resolve("m.onnx"), "NoSuchOperator", List.of(in), List.of(out));
    assertThat(backend.declared(file))
        .hasValueSatisfying(
            declared -> {
              assertThat(declared.inputs())
                  .containsExactly(
                      new TensorSpec(
                          "in", DataType.INT64, Shape.of(Shape.DYNAMIC, 3, Shape.DYNAMIC)));
              assertThat(declared.outputs())
                  .containsExactly(
                      new TensorSpec("out", DataType.FP32, Shape.of(Shape.DYNAMIC, 7)));
            });

    assertThat(backend.declared(Files.writeString(dir.resolve("g.onnx"), "not a model"))).isEmpty();
    assertThat(backend.declared(dir.resolve("missing.onnx"))).isEmpty();
    assertThat(budget.reservedBytes()).isZero();
  }

  @Test
  void shouldDeclareWhatItLoads() {
    Path file = OnnxFiles.identity(dir.resolve("model.onnx"), 5);
    try (LoadedModel model = backend.load(file, options())) {
      assertThat(backend.declared(file).orElseThrow().inputs()).isEqualTo(model.inputs());
      assertThat(backend.declared(file).orElseThrow().outputs()).isEqualTo(model.outputs());
    }
  }

  private LoadOptions options() {
    return new LoadOptions("test", 1, budget, Map.of());
  }

  private static Request floats(int items, float... values) {
    ByteBuffer data = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    Shape shape = Shape.of(items, values.length / items);
    return new Request(items, List.of(Tensor.of("x", DataType.FP32, shape, data)));
  }

  private static Request strings(int items, String... values) {
    ByteBuffer data = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN);
    for (String value : values) {
      byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
      data.putInt(bytes.length).put(bytes);
    }
    Shape shape = Shape.of(items, values.length / items);
    return new Request(items, List.of(Tensor.of("x", DataType.BYTES, shape, data.flip())));
  }

  private static float[] floats(BatchResult result, int request) {
    Tensor tensor = result.outputs().get(request).get(0);
    float[] values = new float[tensor.sizeBytes() / 4];
    tensor.data().asFloatBuffer().get(values);
    return values;
  }

  private static byte[] bytes(BatchResult result, int request) {
    return bytes(result.outputs().get(request).get(0));
  }

  private static byte[] bytes(Request request) {
    return bytes(request.inputs().get(0));
  }

  private static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[tensor.sizeBytes()];
    tensor.data().get(0, bytes);
    return bytes;
  }
}
