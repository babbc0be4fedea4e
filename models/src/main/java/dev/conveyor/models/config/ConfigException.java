package dev.conveyor.models.config;

/**
 * A configuration that cannot be used. Names the file and line as far as known, the key path as the
 * file writes it, and what is wrong there: usually what was expected and what was found.
 *
 * <p>Carries no stack trace: it describes a file, not a bug.
 */
public final class ConfigException extends RuntimeException {

  private final String file;
  private final int line;
  private final String key;
  private final String problem;
  private final String expected;
  private final String found;

  /** A problem that is not one wrong value: two keys that exclude each other, an unknown key. */
  public ConfigException(String key, String problem) {
    this("", 0, key, problem, "", "");
  }

  public ConfigException(String key, String expected, Object found) {
    this("", 0, key, "expected " + expected + ", found " + found, expected, String.valueOf(found));
  }

  private ConfigException(
      String file, int line, String key, String problem, String expected, String found) {
    super(location(file, line) + (key.isEmpty() ? "" : key + ": ") + problem, null, false, false);
    this.file = file;
    this.line = line;
    this.key = key;
    this.problem = problem;
    this.expected = expected;
    this.found = found;
  }

  /** Returns the same problem with its key inside of {@code parent}. */
  public ConfigException under(String parent) {
    String path = key.isEmpty() || key.startsWith("[") ? parent + key : parent + "." + key;
    return new ConfigException(file, line, path, problem, expected, found);
  }

  /**
   * Returns the same problem as found in this file.
   *
   * @param line counted from 1; 0 if unknown
   */
  public ConfigException in(String file, int line) {
    return new ConfigException(file, line, key, problem, expected, found);
  }

  /** Returns the file, or an empty string if it is not known. */
  public String file() {
    return file;
  }

  /** Returns the line counted from 1, or 0 if it is not known. */
  public int line() {
    return line;
  }

  /**
   * Returns the path of the key, for example {@code input[0].dims[1]}; empty for the whole file.
   */
  public String key() {
    return key;
  }

  /** Returns what is wrong, without file and key. */
  public String problem() {
    return problem;
  }

  /** Returns what was expected; empty if the problem is of another kind. */
  public String expected() {
    return expected;
  }

  /** Returns what was found; empty if the problem is of another kind. */
  public String found() {
    return found;
  }

  private static String location(String file, int line) {
    return file.isEmpty() ? "" : file + (line > 0 ? ":" + line : "") + ": ";
  }
}
