package dev.conveyor.models.repository;

import java.nio.file.Path;

/** Something in the repository is missing or not as it must be; the message names the path. */
public final class RepositoryException extends RuntimeException {

  private final String path;
  private final String problem;

  public RepositoryException(Path path, String problem) {
    super(path + ": " + problem);
    this.path = path.toString();
    this.problem = problem;
  }

  public String path() {
    return path;
  }

  /** Returns what is wrong, without the path. */
  public String problem() {
    return problem;
  }
}
