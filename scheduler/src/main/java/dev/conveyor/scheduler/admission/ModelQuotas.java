package dev.conveyor.scheduler.admission;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.config.Quota;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One token bucket per model that has a quota, for all its versions and from load to load: a model
 * that is reloaded, or leaves memory and comes back, begins no new one. Another quota does.
 *
 * <p>Thread-safe: asked by every front end. A lock held for one look-up is enough, and it is taken
 * only where quotas are configured. Models that are gone leave a few bytes each.
 */
public final class ModelQuotas {

  private record Limited(Quota quota, TokenBucket bucket) {}

  @GuardedBy("this")
  private final Map<String, Limited> models = new HashMap<>();

  /**
   * Returns 0 if a request for the model may come in, otherwise after how many nanoseconds it may.
   *
   * @param quota of the model; null for none
   */
  public long tryTake(String model, @Nullable Quota quota, long nowNs) {
    return quota == null ? 0 : take(model, quota, nowNs);
  }

  private synchronized long take(String model, Quota quota, long nowNs) {
    Limited limited = models.get(model);
    if (limited == null || !limited.quota().equals(quota)) {
      limited =
          new Limited(quota, new TokenBucket(quota.requestsPerSecond(), quota.burst(), nowNs));
      models.put(model, limited);
    }
    return limited.bucket().tryTake(nowNs);
  }

  /**
   * Takes back what {@link #tryTake} let in: it was turned away for another reason.
   *
   * @param quota as it was then
   */
  public void giveBack(String model, @Nullable Quota quota) {
    if (quota == null) {
      return;
    }
    synchronized (this) {
      Limited limited = models.get(model);
      if (limited != null && limited.quota().equals(quota)) {
        limited.bucket().giveBack();
      }
    }
  }
}
