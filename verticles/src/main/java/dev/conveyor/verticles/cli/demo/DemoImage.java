package dev.conveyor.verticles.cli.demo;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One of the images that no model has seen in training.
 *
 * @param truth the class it was made as
 * @param jpeg never changed
 */
record DemoImage(String file, String truth, Buffer jpeg) {

  /**
   * Reads the images of a directory with {@code truth.json} and {@code images/}, evenly spread over
   * all of them if there are more than {@code limit}.
   *
   * @throws DemoException if there are none, or they are not what they should be
   */
  static List<DemoImage> read(Path directory, int limit) {
    Path truth = directory.resolve("truth.json");
    try {
      List<JsonObject> entries = new ArrayList<>();
      for (Object entry :
          new JsonObject(Buffer.buffer(Files.readAllBytes(truth))).getJsonArray("images")) {
        entries.add((JsonObject) entry);
      }
      int count = Math.min(limit, entries.size());
      List<DemoImage> images = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        JsonObject entry = entries.get((int) ((long) i * entries.size() / count));
        String file = entry.getString("file");
        Path path = directory.resolve("images").resolve(file);
        images.add(
            new DemoImage(file, entry.getString("class"), Buffer.buffer(Files.readAllBytes(path))));
      }
      if (images.isEmpty()) {
        throw new DemoException("no images in " + truth);
      }
      return images;
    } catch (IOException e) {
      throw new DemoException("cannot read the images of the demo: " + e);
    } catch (DecodeException | ClassCastException | NullPointerException e) {
      throw new DemoException(truth + " is not what the demo expects: " + e.getMessage());
    }
  }
}
