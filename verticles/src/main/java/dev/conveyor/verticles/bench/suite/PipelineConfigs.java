package dev.conveyor.verticles.bench.suite;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;

/** Configurations of the ensembles that are measured. Stateless. */
final class PipelineConfigs {

  private PipelineConfigs() {}

  /** Two models of one input and output, one behind the other. */
  static JsonObject pair(List<String> models) {
    return ensemble(
        64,
        List.of(tensor("INPUT0", "TYPE_FP32", 16)),
        List.of(tensor("OUTPUT0", "TYPE_FP32", 16)),
        step(models.get(0), map("INPUT0", "INPUT0"), map("OUTPUT0", "between")),
        step(models.get(1), map("INPUT0", "between"), map("OUTPUT0", "OUTPUT0")));
  }

  /** Decode to the input of squeezenet, squeezenet on tensors, top-k. */
  static JsonObject tagger(String classifier) {
    return ensemble(
            8,
            List.of(tensor("image", "TYPE_STRING", 1)),
            List.of(tensor("values", "TYPE_FP32", 5), tensor("classes", "TYPE_INT64", 5)),
            step("conveyor.decode", map("image", "image"), map("image", "pixels")),
            step(classifier, map("data_0", "pixels"), map("softmaxout_1", "scores")),
            step(
                "conveyor.top_k",
                map("x", "scores"),
                map("values", "values").put("indices", "classes")))
        .put(
            "parameters",
            parameters("step[0].width", "224")
                .mergeIn(parameters("step[0].height", "224"))
                .mergeIn(parameters("step[0].type", "FP32"))
                .mergeIn(parameters("step[0].mean", "127"))
                .mergeIn(parameters("step[0].scale", "0.0078125"))
                .mergeIn(parameters("step[2].k", "5")));
  }

  /** Decodes, and answers next to nothing. */
  static JsonObject thumbnail() {
    return ensemble(
            0,
            List.of(tensor("photo", "TYPE_STRING", 1)),
            List.of(tensor("small", "TYPE_UINT8", 1, 3, 16, 16)),
            step("conveyor.decode", map("image", "photo"), map("image", "pixels")),
            step("conveyor.resize", map("image", "pixels"), map("image", "small")))
        .put(
            "parameters",
            parameters("step[1].width", "16").mergeIn(parameters("step[1].height", "16")));
  }

  /** Decode, detect, suppress, and bring the boxes back to the photo. */
  static JsonObject faces(String detector) {
    return ensemble(
            0,
            List.of(tensor("photo", "TYPE_STRING", 1)),
            List.of(
                tensor("faces", "TYPE_FP32", 1, 200, 4),
                tensor("confidence", "TYPE_FP32", 1, 200),
                tensor("count", "TYPE_INT32", 1, 1)),
            step("conveyor.image_size", map("image", "photo"), map("size", "size")),
            step(
                detector,
                map("input", "photo"),
                map("scores", "scores").put("boxes", "candidates")),
            step(
                "conveyor.nms",
                map("boxes", "candidates").put("scores", "scores"),
                map("boxes", "kept").put("scores", "confidence").put("count", "count")),
            step(
                "conveyor.to_source",
                map("boxes", "kept").put("size", "size"),
                map("boxes", "faces")))
        .put(
            "parameters",
            parameters("step[2].score", "0.7")
                .mergeIn(parameters("step[2].iou", "0.3"))
                .mergeIn(parameters("step[2].first_class", "1"))
                .mergeIn(parameters("step[2].max", "200"))
                .mergeIn(parameters("step[3].width", "320"))
                .mergeIn(parameters("step[3].height", "240")));
  }

  /** An image of any size in tiles through a segmenter for one size. */
  static JsonObject large(String segmenter, int tile, int overlap, float mean, float scale) {
    JsonObject config =
        ensemble(
            0,
            List.of(tensor("photo", "TYPE_STRING", 1)),
            List.of(tensor("mask", "TYPE_FP32", 1, 1, -1, -1)),
            step("conveyor.decode", map("image", "photo"), map("image", "pixels")),
            step(
                "conveyor.tile",
                map("image", "pixels"),
                map("tiles", "tiles").put("origins", "origins").put("size", "size")),
            step("conveyor.normalize", map("image", "tiles"), map("image", "input")),
            step(segmenter, map("image", "input"), map("mask", "likelihood")),
            step(
                "conveyor.stitch",
                map("tiles", "likelihood").put("origins", "origins").put("size", "size"),
                map("image", "mask")));
    return config
        .put(
            "parameters",
            parameters("step[1].width", Integer.toString(tile))
                .mergeIn(parameters("step[1].height", Integer.toString(tile)))
                .mergeIn(parameters("step[1].overlap", Integer.toString(overlap)))
                .mergeIn(parameters("step[2].mean", Float.toString(mean)))
                .mergeIn(parameters("step[2].scale", Float.toString(scale))))
        .put(
            "conveyor",
            new JsonObject()
                .put(
                    "ensemble_step",
                    new JsonArray()
                        .add(
                            new JsonObject()
                                .put("step", 2)
                                .put("for_each", new JsonArray().add("image"))
                                .put("max_items", 65_536))
                        .add(new JsonObject().put("step", 4).put("join", true))));
  }

  /** Adds decoding to a model's configuration. */
  static JsonObject images(JsonObject config, String input, int width, int height) {
    JsonObject block =
        new JsonObject()
            .put("input", input)
            .put("mode", "RESIZE")
            .put("width", width)
            .put("height", height)
            .put("mean", new JsonArray("[127, 127, 127]"))
            .put("scale", new JsonArray("[0.0078125, 0.0078125, 0.0078125]"));
    config.getJsonObject("conveyor").put("preprocessing", new JsonArray().add(block));
    return config;
  }

  /** Describes the input of {@link #images}, for a configuration that no model completes. */
  static JsonArray imageInput(String name, int width, int height) {
    return new JsonArray().add(tensor(name, "TYPE_FP32", 1, 3, height, width));
  }

  private static JsonObject ensemble(
      int maxBatchSize, List<JsonObject> inputs, List<JsonObject> outputs, JsonObject... steps) {
    JsonArray all = new JsonArray();
    for (JsonObject step : steps) {
      all.add(step);
    }
    return new JsonObject()
        .put("platform", "ensemble")
        .put("max_batch_size", maxBatchSize)
        .put("input", new JsonArray(inputs))
        .put("output", new JsonArray(outputs))
        .put("ensemble_scheduling", new JsonObject().put("step", all));
  }

  private static JsonObject tensor(String name, String type, long... dims) {
    JsonArray shape = new JsonArray();
    for (long dim : dims) {
      shape.add(dim);
    }
    return new JsonObject().put("name", name).put("data_type", type).put("dims", shape);
  }

  private static JsonObject step(String model, JsonObject inputs, JsonObject outputs) {
    return new JsonObject()
        .put("model_name", model)
        .put("model_version", -1)
        .put("input_map", inputs)
        .put("output_map", outputs);
  }

  private static JsonObject map(String name, String tensor) {
    return new JsonObject().put(name, tensor);
  }

  private static JsonObject parameters(String key, String value) {
    return new JsonObject().put(key, new JsonObject().put("string_value", value));
  }
}
