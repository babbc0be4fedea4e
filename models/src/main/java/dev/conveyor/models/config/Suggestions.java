package dev.conveyor.models.config;

import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;

/** Guesses what a mistyped word was meant to be. */
public final class Suggestions {

  private Suggestions() {}

  /** Returns a phrase to append to a message: the nearest known word, or all if none is near. */
  public static String of(String word, Collection<String> known) {
    return nearest(word, known)
        .map(name -> ", did you mean \"" + name + "\"?")
        .orElse(known.isEmpty() ? "" : ", known here: " + String.join(", ", known));
  }

  /** Returns the nearest known word, if one is near. */
  static Optional<String> nearest(String word, Collection<String> known) {
    String plain = plain(word);
    return known.stream()
        .filter(name -> isNear(plain, plain(name)))
        .min(Comparator.comparingInt(name -> distance(plain, plain(name))));
  }

  private static boolean isNear(String word, String name) {
    boolean part = word.length() >= 4 && (name.contains(word) || word.contains(name));
    return part
        || isReordered(word, name)
        || distance(word, name) <= Math.max(1, name.length() / 3);
  }

  private static boolean isReordered(String word, String name) {
    return word.length() >= 3 && Arrays.equals(letters(word), letters(name));
  }

  private static int[] letters(String word) {
    return word.chars().sorted().toArray();
  }

  /** Case and underscores are the usual mistakes and weigh nothing. */
  private static String plain(String word) {
    String shortened = word.length() <= 100 ? word : word.substring(0, 100);
    return shortened.toLowerCase(Locale.ROOT).replace("_", "").replace("-", "");
  }

  /** Levenshtein distance, one row at a time. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}
