package dev.conveyor.scheduler;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The devices of a scheduler, and which of them may have something to run.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}. Of many devices few have changed since the
 * last decision: a decision passes over 64 unchanged ones by one look.
 */
final class DeviceTable {

  private final Map<String, DeviceState> byName = new HashMap<>();
  private final List<DeviceState> all = new ArrayList<>();

  /** By index, as bits: the device has changed since there was nothing to run on it. */
  private final long[] changed;

  /** Something is held back until then at most, if it is. */
  private long heldUntilNs;

  private boolean held;

  /**
   * Creates the devices; among equally used ones the first goes first.
   *
   * @throws IllegalArgumentException if two have one name
   */
  DeviceTable(List<DeviceSpec> specs) {
    changed = new long[(specs.size() + Long.SIZE - 1) / Long.SIZE];
    for (DeviceSpec spec : specs) {
      DeviceState device = new DeviceState(spec, all.size(), this);
      if (byName.put(spec.name(), device) != null) {
        throw new IllegalArgumentException("two devices are called " + spec.name());
      }
      all.add(device);
      markChanged(device.index);
    }
  }

  @Nullable DeviceState find(String name) {
    return byName.get(name);
  }

  /** Returns every device, by index; not a copy. */
  List<DeviceState> all() {
    return all;
  }

  /** Notes that there may be something to run on a device. */
  void markChanged(int index) {
    changed[index / Long.SIZE] |= 1L << index;
  }

  /** Returns what is to run next, on the device with the smallest part in use; null if nothing. */
  @Nullable Placement choose(long nowNs) {
    if (held && nowNs - heldUntilNs >= 0) {
      held = false;
      all.forEach(device -> markChanged(device.index));
    }
    Placement best = null;
    for (int word = 0; word < changed.length; word++) {
      long bits = changed[word];
      while (bits != 0) {
        int bit = Long.numberOfTrailingZeros(bits);
        bits &= bits - 1;
        DeviceState device = all.get(word * Long.SIZE + bit);
        if (best == null || device.usedFraction() < best.device.usedFraction()) {
          Placement candidate = device.choose(nowNs);
          if (candidate == null) {
            changed[word] &= ~(1L << bit);
            hold(device.heldBackNs(nowNs), nowNs);
          } else {
            best = candidate;
          }
        }
      }
    }
    return best;
  }

  /** Returns how long until a device must be looked at again though nothing has changed. */
  long wakeUpInNs(long nowNs) {
    return held ? Math.max(0, heldUntilNs - nowNs) : Scheduler.NEVER;
  }

  private void hold(long forNs, long nowNs) {
    if (forNs > 0 && (!held || nowNs + forNs - heldUntilNs < 0)) {
      held = true;
      heldUntilNs = nowNs + forNs;
    }
  }
}
