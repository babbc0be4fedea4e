package dev.conveyor.scheduler.simulation;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.Suggestions;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One JSON object of a scenario, read key by key: a value of the wrong type or out of range and a
 * key that nobody asked for are errors that name the key, what was expected and what was found.
 *
 * <p>Thread-confined: owned by the reader that made it.
 */
final class JsonBlock {

  private final String path;
  private final ObjectNode node;
  private final Set<String> asked = new LinkedHashSet<>();

  private JsonBlock(String path, ObjectNode node) {
    this.path = path;
    this.node = node;
  }

  static JsonBlock of(String path, JsonNode node) {
    if (node instanceof ObjectNode object) {
      return new JsonBlock(path, object);
    }
    throw new ConfigException(path, "an object", found(node));
  }

  boolean has(String key) {
    asked.add(key);
    return node.has(key);
  }

  String text(String key, @Nullable String byDefault) {
    JsonNode value = value(key, "a string", byDefault);
    if (value == null) {
      return byDefault == null ? "" : byDefault;
    }
    if (!value.isTextual()) {
      throw wrong(key, "a string", value);
    }
    return value.textValue();
  }

  /** Returns one of the words. */
  String oneOf(String key, List<String> words, @Nullable String byDefault) {
    String expected = "one of " + String.join(", ", words);
    JsonNode value = value(key, expected, byDefault);
    if (value == null) {
      return byDefault == null ? "" : byDefault;
    }
    if (!words.contains(value.textValue())) {
      throw wrong(key, expected, value);
    }
    return value.textValue();
  }

  /** Returns a number from {@code min} to {@code max}; {@code NaN} as default makes it required. */
  double number(String key, double min, double max, double byDefault) {
    String expected = "a number from %s to %s".formatted(plain(min), plain(max));
    JsonNode value = value(key, expected, Double.isNaN(byDefault) ? null : byDefault);
    if (value == null) {
      return byDefault;
    }
    if (!value.isNumber() || !(value.doubleValue() >= min) || !(value.doubleValue() <= max)) {
      throw wrong(key, expected, value);
    }
    return value.doubleValue();
  }

  /**
   * Returns an integer from {@code min} to {@code max}; a default below {@code min} requires it.
   */
  int integer(String key, int min, int max, int byDefault) {
    String expected = "an integer from %d to %d".formatted(min, max);
    JsonNode value = value(key, expected, byDefault < min ? null : byDefault);
    if (value == null) {
      return byDefault;
    }
    if (!value.canConvertToInt()
        || !value.isIntegralNumber()
        || value.intValue() < min
        || value.intValue() > max) {
      throw wrong(key, expected, value);
    }
    return value.intValue();
  }

  JsonBlock block(String key) {
    JsonNode value = value(key, "an object", null);
    return of(path(key), value == null ? node : value);
  }

  /** Returns the objects of a list; none if the key is not there. */
  List<JsonBlock> blocks(String key) {
    JsonNode value = value(key, "a list of objects", "");
    if (value != null && !value.isArray()) {
      throw wrong(key, "a list of objects", value);
    }
    List<JsonBlock> blocks = new ArrayList<>();
    for (int i = 0; value != null && i < value.size(); i++) {
      blocks.add(of(path(key) + "[" + i + "]", value.get(i)));
    }
    return blocks;
  }

  /** Returns a list of pairs of numbers, at least two of them, the first of each ascending. */
  double[][] pairs(String key) {
    String expected = "two or more pairs [x, y] of numbers of at least 0, x ascending";
    JsonNode value = value(key, expected, null);
    if (value == null || !value.isArray() || value.size() < 2) {
      throw wrong(key, expected, value == null ? node : value);
    }
    double[][] pairs = new double[2][value.size()];
    for (int i = 0; i < value.size(); i++) {
      JsonNode pair = value.get(i);
      if (!pair.isArray() || pair.size() != 2 || !isPositive(pair.get(0), pair.get(1))) {
        throw wrong(key + "[" + i + "]", expected, pair);
      }
      pairs[0][i] = pair.get(0).doubleValue();
      pairs[1][i] = pair.get(1).doubleValue();
      if (i > 0 && pairs[0][i] <= pairs[0][i - 1]) {
        throw wrong(key + "[" + i + "]", expected, pair);
      }
    }
    return pairs;
  }

  /** Fails if there is a key that nobody asked for. */
  void requireNothingElse() {
    node.fieldNames()
        .forEachRemaining(
            name -> {
              if (!asked.contains(name)) {
                throw new ConfigException(path(name), "unknown key" + Suggestions.of(name, asked));
              }
            });
  }

  String path(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  private @Nullable JsonNode value(String key, String expected, @Nullable Object byDefault) {
    asked.add(key);
    JsonNode value = node.get(key);
    if (value == null && byDefault == null) {
      throw new ConfigException(path(key), expected, "nothing");
    }
    return value;
  }

  private ConfigException wrong(String key, String expected, JsonNode value) {
    return new ConfigException(path(key), expected, found(value));
  }

  private static boolean isPositive(JsonNode x, JsonNode y) {
    return x.isNumber() && y.isNumber() && x.doubleValue() >= 0 && y.doubleValue() >= 0;
  }

  private static String found(JsonNode value) {
    JsonNodeType type = value.getNodeType();
    return switch (type) {
      case OBJECT -> "an object";
      case ARRAY -> value.size() <= 4 ? value.toString() : "a list of " + value.size();
      default -> value.toString();
    };
  }

  private static String plain(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e15
        ? Long.toString((long) value)
        : Double.toString(value);
  }
}
