package dev.conveyor.models.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/** Gives mistakes found deep inside a configuration their full key path. */
final class Keys {

  private Keys() {}

  /** Runs {@code body}; what it refuses is refused under {@code key}. */
  static <T> T under(String key, Supplier<T> body) {
    try {
      return body.get();
    } catch (ConfigException e) {
      throw e.under(key);
    }
  }

  /** Maps a list; what is refused is refused under {@code key[index]}. */
  static <S, T> List<T> each(String key, List<S> items, Function<S, T> body) {
    List<T> mapped = new ArrayList<>(items.size());
    for (int i = 0; i < items.size(); i++) {
      S item = items.get(i);
      mapped.add(under(key + "[" + i + "]", () -> body.apply(item)));
    }
    return mapped;
  }

  /** Runs {@code body}; what it refuses is refused as found in {@code file}. */
  static <T> T in(String file, Map<String, Integer> lines, Supplier<T> body) {
    try {
      return body.get();
    } catch (ConfigException e) {
      throw e.in(file, e.line() > 0 ? e.line() : line(e.key(), lines));
    }
  }

  /** Returns the line of the innermost part of the path that is in the file. */
  private static int line(String key, Map<String, Integer> lines) {
    String path = key;
    while (!path.isEmpty()) {
      Integer line = lines.get(path);
      if (line != null) {
        return line;
      }
      int end = Math.max(path.lastIndexOf('.'), path.lastIndexOf('['));
      path = path.substring(0, Math.max(end, 0));
    }
    return 0;
  }
}
