package dev.conveyor.models.config;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Where something runs: with the server, or where it cannot hurt the server. */
public enum Isolation {
  /** In the server's process. */
  NONE,
  /** In a process of its own. */
  PROCESS;

  /** Returns the word in configurations. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Finds a word of a configuration; the empty one is {@link #NONE}.
   *
   * @throws ConfigException under {@code key} if there is no such word
   */
  static Isolation of(String key, String word) {
    if (word.isEmpty()) {
      return NONE;
    }
    List<String> words = Arrays.stream(values()).map(Isolation::word).toList();
    if (!words.contains(word)) {
      throw new ConfigException(
          key, "one of " + words, "\"" + word + "\"" + Suggestions.of(word, words));
    }
    return values()[words.indexOf(word)];
  }
}
