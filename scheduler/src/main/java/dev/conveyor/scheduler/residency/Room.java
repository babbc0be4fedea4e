package dev.conveyor.scheduler.residency;

import java.util.List;

/** What can be done about the memory that a model needs. */
public sealed interface Room {

  /** These models go, in this order, and then it fits; none if it fits as it is. */
  record Evict(List<String> victims) implements Room {
    public Evict {
      victims = List.copyOf(victims);
    }
  }

  /**
   * It would fit without models that must stay for now.
   *
   * @param afterNs when asking again makes sense
   * @param reason names them
   */
  record Later(long afterNs, String reason) implements Room {}

  /** It does not fit, even if everything went that may go. */
  record Never(String reason) implements Room {}
}
