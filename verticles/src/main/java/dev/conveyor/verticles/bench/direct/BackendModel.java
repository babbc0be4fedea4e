package dev.conveyor.verticles.bench.direct;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Payloads;
import dev.conveyor.verticles.bench.load.RequestTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Stream;

/**
 * A model file on an inference backend: weights once, one intra-op thread per runner unless said
 * otherwise. Thread-safe.
 */
public final class BackendModel implements DirectModel {

  private static final int INTRA_OP_THREADS = 1;

  private final String name;
  private final LoadedModel model;
  private final InferPayload payload;

  private BackendModel(String name, LoadedModel model, InferPayload payload) {
    this.name = name;
    this.model = model;
    this.payload = payload;
  }

  /**
   * Loads a model.
   *
   * @param path a model file, or a model's directory in a repository: then its highest version
   * @param backend name of a registered backend, for example {@code onnxruntime}
   */
  public static BackendModel load(Path path, String backend, int batch, Payloads.Fill fill) {
    return load(path, backend, batch, fill, INTRA_OP_THREADS, Map.of());
  }

  /**
   * Loads a model.
   *
   * @param threads of one run
   * @param parameters of the model's configuration, which backends read
   */
  public static BackendModel load(
      Path path,
      String backend,
      int batch,
      Payloads.Fill fill,
      int threads,
      Map<String, String> parameters) {
    Path file = Files.isDirectory(path) ? newestVersion(path) : path;
    MemoryBudget unlimited = new MemoryBudget("bench", Long.MAX_VALUE);
    LoadedModel model =
        find(backend).load(file, new LoadOptions("bench", threads, unlimited, parameters));
    String name = path.getFileName().toString();
    return new BackendModel(
        name, model, Payloads.synthetic(name, model.inputs(), List.of(), batch, fill).get(0));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int items() {
    return payload.items();
  }

  @Override
  public DirectRunner newRunner() {
    List<Tensor> inputs = new ArrayList<>();
    for (RequestTensor tensor : payload.inputs()) {
      byte[] bytes = tensor.data().getBytes();
      ByteBuffer data = ByteBuffer.allocateDirect(bytes.length).order(ByteOrder.LITTLE_ENDIAN);
      data.put(bytes).flip();
      inputs.add(Tensor.of(tensor.name(), tensor.type(), tensor.shape(), data));
    }
    return new Runner(model.newExecutor(payload.items()), new Request(payload.items(), inputs));
  }

  @Override
  public void close() {
    model.close();
  }

  private static Backend find(String name) {
    List<String> known = new ArrayList<>();
    for (Backend backend : ServiceLoader.load(Backend.class)) {
      if (backend.name().equals(name)) {
        return backend;
      }
      known.add(backend.name());
    }
    throw new IllegalArgumentException(
        "no backend \"%s\" is registered, only %s".formatted(name, known));
  }

  private static Path newestVersion(Path directory) {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries
          .filter(entry -> entry.getFileName().toString().matches("[0-9]{1,18}"))
          .max(Comparator.comparingLong(e -> Long.parseLong(e.getFileName().toString())))
          .map(version -> version.resolve("model.onnx"))
          .orElseThrow(() -> new IllegalArgumentException(directory + " has no version directory"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private record Request(int batchSize, List<Tensor> inputs) implements BatchRequest {}

  private record Runner(ModelExecutor executor, BatchRequest request) implements DirectRunner {

    @Override
    public void run() {
      executor.execute(List.of(request)).outputs().forEach(o -> o.forEach(Tensor::close));
    }

    @Override
    public void close() {
      executor.close();
    }
  }
}
