package dev.conveyor.verticles.supervisor;

/** Told about every change of what is served. Called on the supervisor's context. */
public interface SupervisorEvents {

  /** Nobody listens. */
  SupervisorEvents NONE =
      new SupervisorEvents() {
        @Override
        public void onLoading(String model) {}

        @Override
        public void onReady(
            String model, String version, InstancePlan plan, long reservedBytes, long tookNs) {}

        @Override
        public void onLoadFailed(String model, String reason) {}

        @Override
        public void onUnloaded(String model) {}
      };

  void onLoading(String model);

  void onReady(String model, String version, InstancePlan plan, long reservedBytes, long tookNs);

  /** The model could not be loaded, and does not serve. */
  void onLoadFailed(String model, String reason);

  /** The model could not be loaded again; what served before still serves. */
  default void onReloadFailed(String model, String reason) {
    onLoadFailed(model, reason);
  }

  void onUnloaded(String model);

  /**
   * The model takes requests and is not in memory, at first or again.
   *
   * @param bytes that it will hold, as far as is known
   */
  default void onCold(String model, long bytes) {}

  /** The model leaves memory although nobody unloaded it. */
  default void onEvicted(String model, String reason) {}

  /** The model is loaded because a request came for it. */
  default void onColdStart(String model) {}

  /** A request waits for the model to be loaded. */
  default void onColdRequest(String model) {}

  /**
   * A request was not to wait for the model to be loaded.
   *
   * @param reason one of few words, fit for a metric's label
   */
  default void onColdRefused(String model, String reason) {}

  /** How a model came or went as the load asked for. */
  enum PlacementEnd {
    LOADED("load", "is loaded onto"),
    LEFT("leave", "leaves"),
    FAILED("failed", "cannot be loaded onto");

    private final String word;
    private final String verb;

    PlacementEnd(String word, String verb) {
      this.word = word;
      this.verb = verb;
    }

    /** Returns one word, fit for a metric's label. */
    public String word() {
      return word;
    }

    /** Returns what a sentence says before the name of the device. */
    public String verb() {
      return verb;
    }
  }

  /** A model was loaded onto one more device, or could not be, or left one. */
  default void onPlaced(
      String model, String version, String device, PlacementEnd end, String reason) {}

  /** The number of instances has followed the load. */
  default void onScaled(String model, String version, int from, int to, String reason) {}
}
