package dev.conveyor.scheduler;

/** Every event-bus address of the scheduler. All are local to this JVM. */
public final class Addresses {

  /** Takes an {@link InferenceRequest}; its answer goes to its {@link ReplyTo}. No reply. */
  public static final String SUBMIT = "conveyor.scheduler.submit";

  /** Takes the name of a model of which a request was answered that may wait. No reply. */
  public static final String CANCELLED = "conveyor.scheduler.cancelled";

  /** Takes a {@link SchedulerCommand}; replies with null when it is done, or fails. */
  public static final String CONTROL = "conveyor.scheduler.control";

  /** Takes anything; replies with a {@link SchedulerSnapshot}. */
  public static final String SNAPSHOT = "conveyor.scheduler.snapshot";

  /** Takes the {@link ModelPlan#key} of a model; replies with a {@link ModelProfile}. */
  public static final String PROFILE = "conveyor.scheduler.profile";

  /** Takes an {@link InstanceLost}, from the scheduler; replies with null. */
  public static final String LOST = "conveyor.scheduler.lost";

  /** Every {@link RetryDecision} of the scheduler is published here. */
  public static final String RETRIES = "conveyor.scheduler.retries";

  /** Every {@link RoomLent} of the scheduler is published here. */
  public static final String LENT = "conveyor.scheduler.lent";

  /** Every {@link HedgeDecision} of the scheduler is published here. */
  public static final String HEDGES = "conveyor.scheduler.hedges";

  /**
   * Takes a {@link dev.conveyor.scheduler.decisions.DecisionQuery}; replies with {@link
   * dev.conveyor.scheduler.decisions.Decisions}.
   */
  public static final String DECISIONS = "conveyor.scheduler.decisions";

  private Addresses() {}

  /** Takes a {@link Batch}; replies with a {@link BatchOutcome}. One per instance. */
  public static String instance(String key, int index) {
    return "conveyor.instance." + key + "." + index;
  }
}
