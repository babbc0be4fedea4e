package dev.conveyor.models.process;

import java.util.List;

/**
 * The spare workers of a server at one time.
 *
 * @param ready those that wait for a model
 * @param taken how many were given one since the server started
 */
public record Spares(List<Spare> ready, long taken) {

  /**
   * One of them.
   *
   * @param pid of its process
   * @param heldBytes of memory that was its own when it was ready
   */
  public record Spare(long pid, long heldBytes) {}

  public Spares {
    ready = List.copyOf(ready);
  }
}
