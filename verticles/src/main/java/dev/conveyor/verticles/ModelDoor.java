package dev.conveyor.verticles;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.Quota;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.admission.TokenBucket;
import org.jspecify.annotations.Nullable;

/**
 * What the front ends know about one version of a model before a request comes in: how busy it is,
 * and what is left of its quota. Thread-safe.
 */
public final class ModelDoor {

  private final LoadCell load = new LoadCell();
  private final @Nullable Quota quota;

  @GuardedBy("this")
  private @Nullable TokenBucket bucket;

  ModelDoor(Admission admission) {
    this.quota = admission.quota();
  }

  /** Returns where the scheduler leaves how busy the version is. */
  public LoadCell load() {
    return load;
  }

  /** Takes back what {@link #tryTake} let in: it was turned away for another reason. */
  void giveBack() {
    synchronized (this) {
      if (bucket != null) {
        bucket.giveBack();
      }
    }
  }

  /** Returns 0 if a request is within the quota, otherwise after how many nanoseconds it is. */
  long tryTake(long nowNs) {
    Quota limit = quota;
    if (limit == null) {
      return 0;
    }
    synchronized (this) {
      if (bucket == null) {
        bucket = new TokenBucket(limit.requestsPerSecond(), limit.burst(), nowNs);
      }
      return bucket.tryTake(nowNs);
    }
  }
}
