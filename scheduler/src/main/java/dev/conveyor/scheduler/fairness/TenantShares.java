package dev.conveyor.scheduler.fairness;

import dev.conveyor.models.config.Tenants;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Shares the device time of one model among the tenants that use it, in proportion to their
 * weights: start-time fair queueing (Goyal, Vin and Cheng, 1996), one level below {@link
 * StartTimeFairQueue}, which shares a device among models.
 *
 * <p>Not thread-safe: owned by the scheduler, one per model.
 *
 * <p>A request gets its start tag when it arrives, so that a queue in order of tags is in fair
 * order, and a model that only one tenant uses keeps the order of arrival. The cost is predicted
 * then and corrected once the device has run it, or has not, because the request was dropped.
 *
 * <p>A tenant whose finish tag is not ahead of virtual time is like one that was never seen, and is
 * forgotten when room is needed. So the number of tenants is bounded and no credit or debt is lost,
 * but where more than the bound are backlogged at once: those beyond it count as one.
 */
public final class TenantShares {

  /** Tenant of those for whom there was no room; no client can call itself so. */
  private static final String REST = "\n";

  private static final class Share {
    private final double weight;
    private double finishNs;

    Share(double weight) {
      this.weight = weight;
    }
  }

  private final Tenants tenants;
  private final Map<String, Share> shares = new HashMap<>();
  private double virtualNs;

  public TenantShares(Tenants tenants) {
    this.tenants = tenants;
  }

  /**
   * Charges a request to its tenant and returns its start tag: the smallest goes first.
   *
   * @param costNs device time that it is expected to take
   */
  public long charge(String tenant, double costNs) {
    Share share = share(tenant);
    double startNs = Math.max(virtualNs, share.finishNs);
    share.finishNs = startNs + costNs / share.weight;
    return (long) startNs;
  }

  /** Returns the start tag, at least, that a tenant's next request will get. */
  public long nextTagNs(String tenant) {
    Share share = shares.get(tenant);
    return share == null ? virtualTagNs() : (long) Math.max(virtualNs, share.finishNs);
  }

  /** Returns the smallest tag that a request can get: nothing that comes later goes before it. */
  public long virtualTagNs() {
    return (long) virtualNs;
  }

  /** Takes note that a request with this tag runs. */
  public void start(long tagNs) {
    virtualNs = Math.max(virtualNs, (double) tagNs);
  }

  /** Changes what a tenant was charged, by what its request took more, or less if negative. */
  public void correct(String tenant, double moreNs) {
    Share share = shares.get(tenant);
    if (share == null) {
      share = shares.get(REST);
    }
    if (share != null) {
      share.finishNs += moreNs / share.weight;
    }
  }

  /**
   * Returns how far a tenant is ahead of what would be its share, in device time; 0 if nobody else
   * has used the model lately, for whom that could be a loss.
   *
   * @param latelyNs device time that the others may have been away for
   */
  public double aheadNs(String tenant, double latelyNs) {
    Share own = shares.containsKey(tenant) ? shares.get(tenant) : shares.get(REST);
    if (own == null || own.finishNs <= virtualNs) {
      return 0;
    }
    for (Share other : shares.values()) {
      if (other != own && other.finishNs > virtualNs - latelyNs) {
        return own.finishNs - virtualNs;
      }
    }
    return 0;
  }

  /** Returns the number of tenants that are told apart. */
  int tracked() {
    return shares.size() - (shares.containsKey(REST) ? 1 : 0);
  }

  private Share share(String tenant) {
    Share share = shares.get(tenant);
    if (share != null) {
      return share;
    }
    if (tracked() >= tenants.maxTracked() && !forget() && !tenants.isNamed(tenant)) {
      return shares.computeIfAbsent(REST, rest -> new Share(tenants.others().weight()));
    }
    Share created = new Share(tenants.of(tenant).weight());
    shares.put(tenant, created);
    return created;
  }

  /** Forgets whoever has neither debt nor credit. Returns false if there was nobody. */
  private boolean forget() {
    boolean any = false;
    @Nullable Share rest = shares.get(REST);
    Iterator<Share> all = shares.values().iterator();
    while (all.hasNext()) {
      Share share = all.next();
      if (share != rest && share.finishNs <= virtualNs) {
        all.remove();
        any = true;
      }
    }
    return any;
  }
}
