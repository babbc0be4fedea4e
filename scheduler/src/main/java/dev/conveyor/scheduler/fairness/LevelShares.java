package dev.conveyor.scheduler.fairness;

import dev.conveyor.models.config.Tenants;
import java.util.ArrayList;
import java.util.List;

/**
 * The shares of the tenants at each priority level of a model. Levels are strict, so tenants share
 * what is left to a level: what one has queued at a low level is no debt at a high one, and what
 * runs at a high level moves no clock of a low one.
 *
 * <p>Not thread-safe: owned by the scheduler, one per model.
 */
public final class LevelShares {

  private final Tenants tenants;
  private final List<TenantShares> ofLevel = new ArrayList<>(1);

  public LevelShares(Tenants tenants) {
    this.tenants = tenants;
  }

  /**
   * Returns the shares at a level.
   *
   * @param level 1 is the highest, and the only one of a model without levels
   */
  public TenantShares of(int level) {
    while (ofLevel.size() < level) {
      ofLevel.add(new TenantShares(tenants));
    }
    return ofLevel.get(level - 1);
  }
}
