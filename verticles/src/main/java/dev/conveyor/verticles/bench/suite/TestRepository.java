package dev.conveyor.verticles.bench.suite;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A model repository made for one measurement. */
record TestRepository(Path root) {

  /** Adds a model, version 1, with this configuration. */
  void add(String name, Path modelFile, JsonObject config) throws IOException {
    Path version = Files.createDirectories(root.resolve(name).resolve("1"));
    Files.copy(modelFile, version.resolve("model.onnx"));
    Files.writeString(
        root.resolve(name).resolve("config.json"),
        config.copy().put("name", name).encodePrettily());
  }

  /** Adds a model that has nothing but a configuration. */
  void addConfig(String name, JsonObject config) throws IOException {
    Path directory = Files.createDirectories(root.resolve(name));
    Files.writeString(directory.resolve("config.json"), config.encodePrettily());
  }

  /** Returns a configuration with this many CPU instances of so many threads each. */
  static JsonObject config(int maxBatchSize, int instances, int intraOpThreads) {
    return new JsonObject()
        .put("max_batch_size", maxBatchSize)
        .put(
            "instance_group",
            new JsonArray().add(new JsonObject().put("count", instances).put("kind", "KIND_CPU")))
        .put("conveyor", new JsonObject().put("intra_op_threads", intraOpThreads));
  }
}
