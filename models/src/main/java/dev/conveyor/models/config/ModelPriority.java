package dev.conveyor.models.config;

/** How a model's work stands to that of others on a GPU (Triton's {@code ModelPriority}). */
public enum ModelPriority {
  /** As {@link #MIN}: CUDA knows nothing below its default. */
  DEFAULT(0),
  MAX(Integer.MAX_VALUE),
  MIN(0);

  private final int ofStreams;

  ModelPriority(int ofStreams) {
    this.ofStreams = ofStreams;
  }

  /**
   * Returns the priority of its streams: 0 is the lowest, more than the device knows its highest.
   */
  public int ofStreams() {
    return ofStreams;
  }
}
