package dev.conveyor.models.config;

/**
 * How many requests may come in.
 *
 * @param requestsPerSecond in the long run
 * @param burst at once
 */
public record Quota(double requestsPerSecond, double burst) {

  public Quota {
    if (!(requestsPerSecond > 0) || requestsPerSecond > 1e9) {
      throw new ConfigException(
          "requests_per_second", "a number above 0 and at most 1e9", requestsPerSecond);
    }
    if (!(burst >= 1) || burst > 1e9) {
      throw new ConfigException("burst", "a number from 1 to 1e9", burst);
    }
  }

  /** Returns a quota whose burst is what comes in one second. */
  public static Quota perSecond(double requestsPerSecond) {
    return new Quota(requestsPerSecond, Math.max(1, requestsPerSecond));
  }
}
