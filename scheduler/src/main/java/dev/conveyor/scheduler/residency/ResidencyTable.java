package dev.conveyor.scheduler.residency;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * The evictable models of one device, what state each is in, and the decisions about them.
 *
 * <p>Not thread-safe: owned by the supervisor. Reads no clock; times are passed in and compared by
 * difference. A model that is not in the table is pinned: it is never a victim.
 *
 * <p>Who goes: in the order of the policy's value, least first, until the new model fits; then the
 * most valuable of these that need not have gone are spared, because sizes differ. Who stays: a
 * model with requests under way, one that is loading or leaving, and one younger than {@link
 * #MIN_RESIDENCY_LOADS} times what its load took. The last is the guard against thrashing: a model
 * always serves longer than bringing it cost. The other guard in use elsewhere, to refuse a model
 * that is worth less than its victims, would starve models that are rarely asked for.
 *
 * <p>A model whose load failed is not tried again for one second, doubled with each failure in a
 * row up to a minute.
 */
public final class ResidencyTable {

  static final int MIN_RESIDENCY_LOADS = 3;
  private static final long FIRST_BACKOFF_NS = 1_000_000_000L;
  private static final long LONGEST_BACKOFF_NS = 60_000_000_000L;

  /** Soonest that a model which is busy is looked at again. */
  private static final long BUSY_RETRY_NS = 20_000_000;

  /** What a model is doing. */
  public enum State {
    COLD,
    LOADING,
    RESIDENT,
    LEAVING
  }

  /**
   * One model, for whoever shows the table.
   *
   * @param bytes held, or what it is expected to hold
   * @param loadNs what its load took or is expected to take
   * @param requestShare probability that the next request of an evictable model is for it
   */
  public record Line(String model, State state, long bytes, long loadNs, double requestShare) {}

  private static final class Entry {
    private State state = State.COLD;
    private long bytes;
    private long loadNs = -1;
    private long sinceNs;
    private int failures;
    private long notBeforeNs;
    private String failure = "";
  }

  private final EvictionPolicy policy;
  private final Map<String, Entry> entries = new TreeMap<>();

  /** Loading, or waiting for its turn: the order of the loads. */
  private final List<String> loads = new ArrayList<>();

  private final LoadTimes times = new LoadTimes();

  public ResidencyTable(EvictionPolicy policy) {
    this.policy = policy;
  }

  /**
   * Registers a model that is not loaded, or corrects what it is expected to hold.
   *
   * @param expectedBytes what it will hold, as far as can be told without loading it
   */
  public void register(String model, long expectedBytes) {
    Entry entry = entries.computeIfAbsent(model, m -> new Entry());
    entry.bytes = Math.max(0, expectedBytes);
  }

  /** Takes a model out: it is pinned now, or not served any more. */
  public void remove(String model, long nowNs) {
    endLoad(model, nowNs);
    entries.remove(model);
    policy.forget(model);
  }

  public boolean contains(String model) {
    return entries.containsKey(model);
  }

  /** Takes note of requests, whatever the state of the model. */
  public void onRequests(String model, long count) {
    if (entries.containsKey(model)) {
      policy.onRequests(model, count);
    }
  }

  /** The model is to be loaded, after those that were named before. */
  public void onQueued(String model, long nowNs) {
    Entry entry = entry(model);
    entry.state = State.LOADING;
    entry.sinceNs = nowNs;
    if (!loads.contains(model)) {
      loads.add(model);
    }
  }

  /** The model's turn has come. */
  public void onLoading(String model, long nowNs) {
    entry(model).sinceNs = nowNs;
  }

  /** The model serves. */
  public void onLoaded(String model, long bytes, long tookNs, long nowNs) {
    Entry entry = entry(model);
    endLoad(model, nowNs);
    times.onLoaded(bytes, tookNs);
    entry.state = State.RESIDENT;
    entry.bytes = bytes;
    entry.loadNs = tookNs;
    entry.sinceNs = nowNs;
    entry.failures = 0;
    entry.failure = "";
  }

  /**
   * The model could not be loaded.
   *
   * @return how long it will not be tried again
   */
  public long onLoadFailed(String model, String reason, long nowNs) {
    Entry entry = entry(model);
    endLoad(model, nowNs);
    long backoffNs = Math.min(LONGEST_BACKOFF_NS, FIRST_BACKOFF_NS << Math.min(entry.failures, 16));
    entry.state = State.COLD;
    entry.failures++;
    entry.failure = reason;
    entry.notBeforeNs = nowNs + backoffNs;
    return backoffNs;
  }

  /**
   * The model could not be loaded because others need the memory.
   *
   * @return how long it will not be tried again, which does not grow
   */
  public long onNoRoom(String model, String reason, long nowNs) {
    Entry entry = entry(model);
    entry.failures = 0;
    return onLoadFailed(model, reason, nowNs);
  }

  /** The model takes no more requests and will be gone when those under way are answered. */
  public void onLeaving(String model) {
    Entry entry = entry(model);
    policy.onEvicted(model, value(model, entry.bytes));
    entry.state = State.LEAVING;
  }

  /** The memory of the model is free. */
  public void onGone(String model) {
    Entry entry = entry(model);
    if (entry.state == State.LEAVING) {
      entry.state = State.COLD;
    }
  }

  /** Returns what a model will hold when it is loaded, as far as is known; 0 if it is not here. */
  public long expectedBytes(String model) {
    Entry entry = entries.get(model);
    return entry == null ? 0 : entry.bytes;
  }

  /** Returns how long loading a model takes, once its turn has come. */
  public long loadNs(String model) {
    Entry entry = entries.get(model);
    if (entry == null) {
      return 0;
    }
    return entry.loadNs >= 0 ? entry.loadNs : times.estimateNs(entry.bytes);
  }

  /** Returns true while a model loads, or waits for its turn to. */
  public boolean isUnderWay(String model) {
    return loads.contains(model);
  }

  /** Returns the models that load or wait for their turn to, in order. */
  public List<String> underWay() {
    return List.copyOf(loads);
  }

  /** Returns how long it takes until a model serves, from now, those before it included. */
  public long readyInNs(String model, long nowNs) {
    Entry entry = entries.get(model);
    if (entry == null || entry.state == State.RESIDENT) {
      return 0;
    }
    long waitNs = 0;
    for (int i = 0; i < loads.size(); i++) {
      String before = loads.get(i);
      long spentNs = i == 0 ? nowNs - entry(before).sinceNs : 0;
      // A load that takes longer than expected is expected to go on for as long as it has.
      waitNs += Math.max(loadNs(before) - spentNs, spentNs > loadNs(before) ? spentNs / 2 : 0);
      if (before.equals(model)) {
        return waitNs;
      }
    }
    return waitNs + loadNs(model);
  }

  /**
   * Says whether a request should wait for a model that is not in memory.
   *
   * @param budgetNs what is left until the request's deadline; {@link Long#MAX_VALUE} for none
   * @param runNs what the request itself takes once the model is there
   */
  public Optional<ColdStartRefusal> refusal(String model, long budgetNs, long runNs, long nowNs) {
    Entry entry = entries.get(model);
    if (entry == null) {
      return Optional.empty();
    }
    if (entry.failures > 0 && entry.state == State.COLD && entry.notBeforeNs - nowNs > 0) {
      long leftNs = entry.notBeforeNs - nowNs;
      return Optional.of(
          new ColdStartRefusal(
              "its last load failed: %s; next try in %s"
                  .formatted(entry.failure, ColdStartRefusal.ms(leftNs)),
              false,
              leftNs));
    }
    long readyNs = readyInNs(model, nowNs);
    if (budgetNs == Long.MAX_VALUE || readyNs + runNs <= budgetNs) {
      return Optional.empty();
    }
    return Optional.of(ColdStartRefusal.late(readyNs + runNs, budgetNs, readyNs));
  }

  /**
   * Finds room for a model.
   *
   * @param busy whether a model has requests under way
   */
  public Room room(
      String model, long neededBytes, long freeBytes, Predicate<String> busy, long nowNs) {
    return room(model, neededBytes, freeBytes, name -> entry(name).bytes, busy, nowNs);
  }

  /**
   * Finds room for a model on one of several devices.
   *
   * @param held what a model holds there
   * @param busy whether a model has requests under way
   */
  public Room room(
      String model,
      long neededBytes,
      long freeBytes,
      ToLongFunction<String> held,
      Predicate<String> busy,
      long nowNs) {
    List<String> victims = new ArrayList<>();
    Map<String, Double> values = new HashMap<>();
    long evictable = 0;
    long later = 0;
    long soonestNs = Long.MAX_VALUE;
    @Nullable String keeper = null;
    for (Map.Entry<String, Entry> candidate : entries.entrySet()) {
      Entry entry = candidate.getValue();
      String name = candidate.getKey();
      if (name.equals(model) || entry.state == State.COLD) {
        continue;
      }
      long staysNs =
          entry.state == State.RESIDENT ? staysNs(name, entry, busy, nowNs) : BUSY_RETRY_NS;
      if (staysNs <= 0) {
        victims.add(name);
        values.put(name, value(name, held.applyAsLong(name)));
        evictable += held.applyAsLong(name);
      } else {
        later += entry.state == State.LOADING ? 0 : held.applyAsLong(name);
        if (staysNs < soonestNs) {
          soonestNs = staysNs;
          keeper = name;
        }
      }
    }
    if (neededBytes > freeBytes + evictable) {
      String reason =
          "needs %d bytes, %d are free, evictable models hold %d"
              .formatted(neededBytes, freeBytes, evictable + later);
      return keeper == null || neededBytes > freeBytes + evictable + later
          ? new Room.Never(reason)
          : new Room.Later(soonestNs, reason + ", some are in use, such as '" + keeper + "'");
    }
    victims.sort(Comparator.<String>comparingDouble(values::get).thenComparing(name -> name));
    return new Room.Evict(spared(victims, neededBytes - freeBytes, held));
  }

  /** Returns every model, by name. */
  public List<Line> lines() {
    List<Line> lines = new ArrayList<>();
    entries.forEach(
        (name, entry) ->
            lines.add(
                new Line(name, entry.state, entry.bytes, loadNs(name), policy.value(name, 1))));
    return lines;
  }

  /** Takes the least valuable until it is enough, then drops those that need not have been. */
  private static List<String> spared(
      List<String> victims, long missingBytes, ToLongFunction<String> held) {
    List<String> taken = new ArrayList<>();
    long missing = missingBytes;
    for (int i = 0; i < victims.size() && missing > 0; i++) {
      taken.add(victims.get(i));
      missing -= held.applyAsLong(victims.get(i));
    }
    for (int i = taken.size() - 1; i >= 0; i--) {
      long bytes = held.applyAsLong(taken.get(i));
      if (missing + bytes <= 0) {
        missing += bytes;
        taken.remove(i);
      }
    }
    return taken;
  }

  private long staysNs(String name, Entry entry, Predicate<String> busy, long nowNs) {
    long youngNs = MIN_RESIDENCY_LOADS * Math.max(0, entry.loadNs) - (nowNs - entry.sinceNs);
    return youngNs > 0 ? youngNs : busy.test(name) ? BUSY_RETRY_NS : 0;
  }

  /** The next one's turn has come: the time that it waited for it is none of its load. */
  private void endLoad(String model, long nowNs) {
    boolean wasFirst = loads.indexOf(model) == 0;
    loads.remove(model);
    if (wasFirst && !loads.isEmpty()) {
      entry(loads.get(0)).sinceNs = nowNs;
    }
  }

  private double value(String name, long bytes) {
    return policy.value(name, loadNs(name) / (double) Math.max(1, bytes));
  }

  private Entry entry(String model) {
    Entry entry = entries.get(model);
    if (entry == null) {
      throw new IllegalArgumentException("'" + model + "' is not in the table");
    }
    return entry;
  }
}
