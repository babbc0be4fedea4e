package dev.conveyor.models.steps;

import dev.conveyor.models.config.ConfigException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The settings of one step, each read once by whoever makes the step. Not thread-safe: owned by the
 * load of an ensemble.
 */
public final class StepSettings {

  /** Settings of steps are parameters of the ensemble, {@code step[1].k}. */
  public static final String KEY = "parameters.step[";

  private final int step;
  private final Map<String, String> values;
  private final Set<String> known = new HashSet<>();

  /**
   * Creates the settings of a step.
   *
   * @param step its number in the ensemble, from 0
   */
  public StepSettings(int step, Map<String, String> values) {
    this.step = step;
    this.values = Map.copyOf(values);
  }

  /** Returns a number, or the default if it is not set. */
  public double number(String key, double least, double most, double orElse) {
    String text = text(key, "");
    if (text.isEmpty()) {
      return orElse;
    }
    try {
      double value = Double.parseDouble(text);
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Refused below.
    }
    throw new ConfigException(
        path(key), "a number from " + least + " to " + most, "\"" + text + "\"");
  }

  /** Returns a whole number, or the default if it is not set. */
  public int integer(String key, int least, int most, int orElse) {
    String text = text(key, "");
    if (text.isEmpty()) {
      return orElse;
    }
    try {
      int value = Integer.parseInt(text);
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Refused below.
    }
    throw new ConfigException(
        path(key), "a whole number from " + least + " to " + most, "\"" + text + "\"");
  }

  /** Returns one of the words, or the first if none is set. */
  public String word(String key, String... words) {
    String text = text(key, words[0]);
    if (!Set.of(words).contains(text)) {
      throw new ConfigException(
          path(key), "one of " + String.join(", ", words), "\"" + text + "\"");
    }
    return text;
  }

  /** Returns a text, or the default if it is not set. */
  public String text(String key, String orElse) {
    known.add(key);
    return values.getOrDefault(key, orElse);
  }

  /**
   * Refuses what nobody asked for.
   *
   * @throws ConfigException if there is such a setting
   */
  public void requireAllRead() {
    for (String key : new TreeSet<>(values.keySet())) {
      if (!known.contains(key)) {
        throw new ConfigException(
            path(key), "not a setting of this step, which has " + new TreeSet<>(known));
      }
    }
  }

  /** Returns what to throw about a value that cannot be used. */
  public ConfigException refusal(String key, String expected, Object found) {
    return new ConfigException(path(key), expected, found);
  }

  private String path(String key) {
    return KEY + step + "]." + key;
  }
}
