package dev.conveyor.models.config;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How clients that name themselves share the models.
 *
 * @param maxTracked tenants told apart at a time; beyond it new ones count as one
 * @param others what holds for tenants that are not in {@code named}
 */
public record Tenants(int maxTracked, Tenant others, Map<String, Tenant> named) {

  public static final Tenants DEFAULT = new Tenants(1024, new Tenant(1, null), Map.of());

  /** Longest name of a tenant; longer ones are refused. */
  public static final int MAX_NAME_LENGTH = 128;

  /**
   * One tenant.
   *
   * @param weight share of a model's device time against other tenants under load
   * @param quota of all its requests; null for none
   */
  public record Tenant(double weight, @Nullable Quota quota) {
    public Tenant {
      if (!(weight > 0) || weight > 1e6) {
        throw new ConfigException("weight", "a number above 0 and at most 1e6", weight);
      }
    }
  }

  public Tenants {
    if (maxTracked < 1) {
      throw new ConfigException("max_tracked", "1 or more", maxTracked);
    }
    for (String name : named.keySet()) {
      if (name.isEmpty() || name.length() > MAX_NAME_LENGTH) {
        throw new ConfigException(
            "named", "names of 1 to " + MAX_NAME_LENGTH + " characters", "\"" + name + "\"");
      }
    }
    named = Map.copyOf(named);
  }

  /** Returns what holds for a tenant; the empty name is that of clients that gave none. */
  public Tenant of(String name) {
    return named.getOrDefault(name, others);
  }

  public boolean isNamed(String name) {
    return named.containsKey(name);
  }

  /** Returns true if any tenant has a quota. */
  public boolean hasQuotas() {
    return others.quota() != null || named.values().stream().anyMatch(t -> t.quota() != null);
  }
}
