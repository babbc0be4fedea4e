package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.DataSets;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A model that checks run: its file, what it is asked, and what the CPU answers. Immutable.
 *
 * @param file the ONNX file
 * @param config as in the repository, JSON; checks add how it is to run
 * @param items of one item each
 * @param maxBatchSize of every run
 */
record Subject(Path file, String config, List<Item> items, int maxBatchSize) {

  private static final int RANDOM_ITEMS = 8;

  Subject {
    items = List.copyOf(items);
  }

  /** Returns the demo's classifier, asked about the demo's photos. */
  static Subject classifier(CheckSite site) {
    Path directory = site.home().resolve("conf/models/surface_classifier");
    Path file = directory.resolve("1/model.onnx");
    ModelConfig config = ModelConfigReader.read(directory);
    DataSet photos =
        DataSets.open(
            photos(site), declared(file), config.extensions().preprocessing(), labels(directory));
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < photos.size(); i++) {
      items.add(new Item(photos.sample(i).inputs()));
    }
    String json = ModelConfigReader.file(directory).map(Subject::text).orElse("{}");
    return new Subject(file, json, items, config.maxBatchSize());
  }

  /** Returns the directory of the demo's photos. */
  static Path photos(CheckSite site) {
    return site.home().resolve("conf/demo/images").toAbsolutePath();
  }

  /** Returns a model of the shape of ResNet-50, of random weights, asked about random images. */
  static Subject resNet50(CheckSite site, int maxBatchSize) {
    Path file = ResNetFile.write(site.scratch().resolve("resnet50.onnx"));
    SplittableRandom random = new SplittableRandom(1);
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < RANDOM_ITEMS; i++) {
      List<Tensor> inputs = new ArrayList<>();
      for (TensorSpec input : declared(file)) {
        inputs.add(random(input, random));
      }
      items.add(new Item(inputs));
    }
    String json = new JsonObject().put("max_batch_size", maxBatchSize).encode();
    return new Subject(file, json, items, maxBatchSize);
  }

  private static Tensor random(TensorSpec input, SplittableRandom random) {
    Shape shape = input.shape().withFirst(1);
    ByteBuffer data =
        ByteBuffer.allocate(Math.toIntExact(shape.elements() * Float.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    while (data.hasRemaining()) {
      data.putFloat((float) (2 * random.nextDouble() - 1));
    }
    return Tensor.of(input.name(), DataType.FP32, shape, data.flip());
  }

  private static List<TensorSpec> declared(Path file) {
    return new OnnxBackend()
        .declared(file)
        .orElseThrow(() -> new IllegalStateException(file + " does not say what it takes"))
        .inputs();
  }

  private static List<String> labels(Path directory) {
    return text(directory.resolve("labels.txt")).lines().toList();
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns its configuration with more settings, which go before its own. */
  ModelConfig config(JsonObject more) {
    JsonObject all = new JsonObject(config).mergeIn(more, true);
    all.remove("name");
    return ModelConfigReader.read("check", all.encode());
  }

  /** Returns what the CPU answers to each item. */
  List<float[]> onCpu() {
    int threads = Math.max(1, Runtime.getRuntime().availableProcessors());
    LoadOptions options =
        new LoadOptions("check", threads, new MemoryBudget("CPU", Long.MAX_VALUE), Map.of());
    try (LoadedModel model = new OnnxBackend().load(file, options);
        ModelExecutor executor = model.newExecutor(maxBatchSize)) {
      return Answers.of(executor, items, maxBatchSize);
    }
  }
}
