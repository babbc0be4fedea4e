package dev.conveyor.scheduler.admission;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.config.Quota;
import dev.conveyor.models.config.Tenants;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One token bucket per tenant, for a bounded number of tenants.
 *
 * <p>Thread-safe: asked by every front end. A lock held for one look-up is enough, and it is taken
 * only where quotas are configured.
 *
 * <p>Tenants name themselves, so there may be any number. Where the bound is reached, the tenant
 * that was seen least recently is forgotten if its bucket is full again, which loses nothing;
 * otherwise the new one shares a bucket with all others for which there was no room. So making up
 * names gains nobody more than the bound times one burst.
 */
public final class TenantQuotas {

  private final Tenants tenants;

  @GuardedBy("this")
  private final LinkedHashMap<String, TokenBucket> buckets = new LinkedHashMap<>(16, 0.75f, true);

  @GuardedBy("this")
  private @Nullable TokenBucket overflow;

  public TenantQuotas(Tenants tenants) {
    this.tenants = tenants;
  }

  /** Returns 0 if the tenant may come in, otherwise after how many nanoseconds it may. */
  public long tryTake(String tenant, long nowNs) {
    Quota quota = tenants.of(tenant).quota();
    if (quota == null) {
      return 0;
    }
    synchronized (this) {
      return bucket(tenant, quota, nowNs).tryTake(nowNs);
    }
  }

  /** Takes back what {@link #tryTake} let in: it was turned away for another reason. */
  public void giveBack(String tenant) {
    if (tenants.of(tenant).quota() == null) {
      return;
    }
    synchronized (this) {
      TokenBucket bucket = buckets.get(tenant);
      if (bucket == null) {
        bucket = overflow;
      }
      if (bucket != null) {
        bucket.giveBack();
      }
    }
  }

  /** Returns the number of tenants that are told apart. */
  synchronized int tracked() {
    return buckets.size();
  }

  @GuardedBy("this")
  private TokenBucket bucket(String tenant, Quota quota, long nowNs) {
    TokenBucket bucket = buckets.get(tenant);
    if (bucket != null) {
      return bucket;
    }
    boolean room = buckets.size() < tenants.maxTracked() || forgetOne(nowNs);
    if (!room && !tenants.isNamed(tenant)) {
      if (overflow == null) {
        overflow = newBucket(quota, nowNs);
      }
      return overflow;
    }
    TokenBucket created = newBucket(quota, nowNs);
    buckets.put(tenant, created);
    return created;
  }

  @GuardedBy("this")
  private boolean forgetOne(long nowNs) {
    Iterator<Map.Entry<String, TokenBucket>> oldest = buckets.entrySet().iterator();
    if (oldest.hasNext() && oldest.next().getValue().isFull(nowNs)) {
      oldest.remove();
      return true;
    }
    return false;
  }

  private static TokenBucket newBucket(Quota quota, long nowNs) {
    return new TokenBucket(quota.requestsPerSecond(), quota.burst(), nowNs);
  }
}
