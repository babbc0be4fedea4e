package dev.conveyor.verticles.stream;

import dev.conveyor.models.InferenceException;
import java.util.Locale;

/** What becomes of a frame that comes while as many as may be are under way. */
public enum FramePolicy {
  /** It waits, and nothing more is read: the sender feels that. No frame is lost. */
  BLOCK,
  /** It is dropped. What is under way stays the oldest that there is. */
  DROP,
  /** It waits in the place of the one that waited before, which is dropped. */
  LATEST;

  /** Returns the policy's name in requests. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Reads a policy.
   *
   * @param key where it stands, for the message
   * @throws InferenceException INVALID_REQUEST if there is none of that name
   */
  static FramePolicy of(String key, String value) {
    for (FramePolicy policy : values()) {
      if (policy.label().equals(value)) {
        return policy;
      }
    }
    throw InferenceException.invalid(key + " must be block, drop or latest, was '" + value + "'");
  }
}
