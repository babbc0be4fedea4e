package dev.conveyor.models.optimize.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.conveyor.models.optimize.OptimizeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code truth.json}, in the directory of the images or above it, says about them. Immutable.
 *
 * <pre>{@code
 * {"images": [{"file": "a.jpg", "class": "pit", "mask": "masks/a.png",
 *              "boxes": [{"class": 1, "box": [0.1, 0.2, 0.3, 0.4]}]}]}
 * }</pre>
 *
 * <p>A class is a number or one of the model's labels; edges of boxes (left, top, right, bottom)
 * are in widths and heights of the image; files are relative to the images' directory. Without the
 * file, images in directories named like labels are of that class.
 */
final class TruthFile {

  private static final String FILE = "truth.json";

  private final Map<String, Truth> byFile = new HashMap<>();
  private final List<String> labels;
  private final Path directory;

  private TruthFile(Path directory, List<String> labels) {
    this.directory = directory;
    this.labels = List.copyOf(labels);
  }

  static TruthFile find(Path directory, List<String> labels) {
    TruthFile truth = new TruthFile(directory, labels);
    Path beside = directory.resolve(FILE);
    Path above = directory.toAbsolutePath().resolveSibling(FILE);
    Path file = Files.exists(beside) ? beside : above;
    if (Files.exists(file)) {
      truth.read(file);
    }
    return truth;
  }

  Truth of(Path image) {
    Truth known = byFile.get(directory.relativize(image).toString());
    if (known != null) {
      return known;
    }
    Path parent = image.getParent();
    int label =
        byFile.isEmpty() && parent != null && !parent.equals(directory)
            ? labels.indexOf(String.valueOf(parent.getFileName()))
            : -1;
    return label < 0 ? Truth.NONE : new Truth(label, null, null);
  }

  private void read(Path file) {
    JsonNode images;
    try {
      images = new ObjectMapper().readTree(file.toFile()).path("images");
    } catch (IOException e) {
      throw new OptimizeException(file + ": cannot be read: " + e.getMessage(), e);
    }
    for (JsonNode image : images) {
      String name = image.path("file").asText("");
      byFile.put(
          name,
          new Truth(
              image.has("class") && !isForAnother(image)
                  ? label(file, name, image.get("class"))
                  : -1,
              image.has("mask") ? directory.resolve(image.get("mask").asText()) : null,
              boxes(file, name, image.get("boxes"))));
    }
    if (byFile.isEmpty()) {
      throw new OptimizeException(file + ": no \"images\"; a list of files is expected");
    }
  }

  /** One truth may serve a classifier and a segmenter, which have labels of their own. */
  private boolean isForAnother(JsonNode image) {
    return (image.has("mask") || image.has("boxes"))
        && image.get("class").isTextual()
        && !labels.contains(image.get("class").asText());
  }

  private int label(Path file, String image, JsonNode value) {
    int label = value.isInt() ? value.asInt() : labels.indexOf(value.asText());
    if (label < 0) {
      throw new OptimizeException(
          "%s: %s is of class %s; expected a number or one of the model's labels %s"
              .formatted(file, image, value, labels));
    }
    return label;
  }

  private @Nullable List<Truth.Box> boxes(Path file, String image, @Nullable JsonNode list) {
    if (list == null) {
      return null;
    }
    List<Truth.Box> boxes = new ArrayList<>();
    for (JsonNode entry : list) {
      JsonNode box = entry.path("box");
      if (box.size() != 4) {
        throw new OptimizeException(
            "%s: %s has a box %s; four edges are expected".formatted(file, image, box));
      }
      boxes.add(
          new Truth.Box(
              entry.has("class") ? label(file, image, entry.get("class")) : 1,
              box.get(0).floatValue(),
              box.get(1).floatValue(),
              box.get(2).floatValue(),
              box.get(3).floatValue()));
    }
    return boxes;
  }
}
