package dev.conveyor.models.config;

/**
 * How a candidate version is tried on live requests: the {@code rollout} part of a model's {@code
 * conveyor} block.
 *
 * @param candidate version that is tried; 0 for none. Requests that name no version then go to the
 *     highest other one
 * @param shadowShare part of the requests that are copied to the candidate, whose answers nobody
 *     gets
 * @param canaryShare part of the requests that the candidate answers
 * @param shadowLimit copies under way at most; more are dropped
 * @param tolerance largest difference of an output from the other version's, relative to the
 *     largest value in it, that counts as agreement
 * @param minAgreement part of the compared answers that must agree
 * @param maxErrorRate by how much the candidate may fail more often than the other version
 * @param maxP99Ratio 99th percentile of its latencies / of the other version's
 * @param minRequests so many outcomes are waited for before anything is judged
 */
public record Rollout(
    long candidate,
    double shadowShare,
    double canaryShare,
    int shadowLimit,
    double tolerance,
    double minAgreement,
    double maxErrorRate,
    double maxP99Ratio,
    int minRequests) {

  public static final Rollout NONE = new Rollout(0, 0, 0, 4, 0.05, 0.99, 0.01, 2, 100);

  public Rollout {
    if (candidate < 0) {
      throw new ConfigException("candidate", "1 or more", candidate);
    }
    requireWithin("shadow_share", 0, 1, shadowShare);
    requireWithin("canary_share", 0, 1, canaryShare);
    if (candidate > 0 && shadowShare == 0 && canaryShare == 0) {
      throw new ConfigException("candidate", "a shadow_share or a canary_share above 0", "neither");
    }
    if (candidate == 0 && (shadowShare > 0 || canaryShare > 0)) {
      throw new ConfigException("candidate", "the version to be tried", "nothing");
    }
    requireWithin("shadow_limit", 1, 1024, shadowLimit);
    requireWithin("tolerance", 0, 1, tolerance);
    requireWithin("min_agreement", 0, 1, minAgreement);
    requireWithin("max_error_rate", 0, 1, maxErrorRate);
    requireWithin("max_p99_ratio", 1, 1e6, maxP99Ratio);
    requireWithin("min_requests", 1, 1_000_000, minRequests);
  }

  public boolean isNone() {
    return candidate == 0;
  }

  private static void requireWithin(String key, double min, double max, double found) {
    if (!(found >= min && found <= max)) {
      throw new ConfigException(
          key, "a number from %s to %s".formatted(text(min), text(max)), text(found));
    }
  }

  private static String text(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }
}
