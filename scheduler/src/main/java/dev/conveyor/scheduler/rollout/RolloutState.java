package dev.conveyor.scheduler.rollout;

import dev.conveyor.models.config.Rollout;

/**
 * How a rollout stands. Immutable.
 *
 * @param active whether the candidate still gets requests
 * @param reason why it does not; empty while it does
 * @param stableRequests answered by the other version
 * @param canaryRequests given to the candidate to answer
 * @param shadows copied to the candidate
 * @param shadowsDropped that were due to be copied, but requests were waiting or too many copies
 *     under way
 * @param shadowsUnderWay copies without an outcome yet
 * @param compared answers that were compared
 * @param agreed of these, those within the tolerance
 * @param stable the last outcomes of the other version
 * @param tried the last outcomes of the candidate
 */
public record RolloutState(
    Rollout rollout,
    boolean active,
    String reason,
    long stableRequests,
    long canaryRequests,
    long shadows,
    long shadowsDropped,
    int shadowsUnderWay,
    long compared,
    long agreed,
    Version stable,
    Version tried) {

  /**
   * The last outcomes of one version.
   *
   * @param errorRate part of them that failed
   * @param p99Ns of those that did not
   */
  public record Version(int outcomes, double errorRate, long p99Ns) {}

  /** Returns the part of the compared answers that agreed; 1 before any was compared. */
  public double agreement() {
    return compared == 0 ? 1 : (double) agreed / compared;
  }
}
