package dev.conveyor.models.repository;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A directory with one directory per model. Thread-safe: it holds nothing but its path, so every
 * call sees the files as they are now.
 */
public final class ModelRepository {

  private static final int MAX_NAME_LENGTH = 255;

  private final Path root;

  public ModelRepository(Path root) {
    this.root = root;
  }

  public Path root() {
    return root;
  }

  /**
   * Returns the names of the models, sorted. Hidden directories are none. A name here says nothing
   * about whether the model can be opened.
   *
   * @throws RepositoryException if the repository cannot be read
   */
  public List<String> list() {
    if (!Files.isDirectory(root)) {
      throw new RepositoryException(root, "no such directory; it should hold the models");
    }
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(root)) {
      for (Path entry : entries) {
        String name = String.valueOf(entry.getFileName());
        if (isPlainName(name) && Files.isDirectory(entry)) {
          names.add(name);
        }
      }
    } catch (IOException e) {
      throw new RepositoryException(root, "cannot be read: " + e);
    }
    Collections.sort(names);
    return names;
  }

  /**
   * Opens a model's directory.
   *
   * @param name may come from a client
   * @throws RepositoryException if there is no such model or it has no version
   */
  public ModelDirectory open(String name) {
    if (!isPlainName(name)) {
      throw new RepositoryException(
          root, "no model can be named \"" + printable(name) + "\": a plain name is needed");
    }
    Path directory = root.resolve(name);
    if (!Files.isDirectory(directory)) {
      throw new RepositoryException(directory, "no such model directory");
    }
    return ModelDirectory.open(name, directory, root);
  }

  /** A hidden name is none, which includes the names of the directory itself and its parent. */
  public static boolean isPlainName(String name) {
    return !name.isEmpty()
        && name.length() <= MAX_NAME_LENGTH
        && name.charAt(0) != '.'
        && name.chars()
            .noneMatch(c -> c == '/' || c == '\\' || c == ':' || Character.isISOControl(c));
  }

  private static String printable(String name) {
    String shortened = name.length() <= 60 ? name : name.substring(0, 60) + "...";
    return shortened.replaceAll("\\p{Cntrl}", "?");
  }
}
