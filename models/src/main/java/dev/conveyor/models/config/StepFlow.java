package dev.conveyor.models.config;

import java.util.HashSet;
import java.util.List;

/**
 * How requests go through one step of an ensemble, beyond Triton's words: an entry of {@code
 * conveyor.ensemble_step}.
 *
 * @param step number of the step in {@code ensemble_scheduling.step}, from 0
 * @param forEach inputs of the step that are taken apart along their first dimension; it and the
 *     steps that read what it gives run once per row
 * @param maxItems most rows of one request
 * @param onExcess what becomes of requests with more
 * @param join items are put together again before the step, which runs once
 * @param when tensor of the ensemble; without an element that is not 0 the step is skipped; empty
 *     for a step that always runs
 * @param unless tensor of the ensemble; with an element that is not 0 the step is skipped; empty
 *     for a step that always runs
 */
public record StepFlow(
    int step,
    List<String> forEach,
    int maxItems,
    Excess onExcess,
    boolean join,
    String when,
    String unless) {

  public static final int DEFAULT_MAX_ITEMS = 256;

  /** Items cost memory before they run. */
  public static final int MOST_ITEMS = 65_536;

  /** What becomes of a request with too many items. */
  public enum Excess {
    /** It fails. */
    REJECT,
    /** Those beyond the limit are left out. */
    TRUNCATE
  }

  public StepFlow {
    forEach = List.copyOf(forEach);
    if (step < 0) {
      throw new ConfigException("step", "the number of a step, 0 or more", step);
    }
    if (forEach.contains("") || new HashSet<>(forEach).size() < forEach.size()) {
      throw new ConfigException("for_each", "inputs of the step, each once", forEach);
    }
    if (maxItems < 1 || maxItems > MOST_ITEMS) {
      throw new ConfigException("max_items", "1 to " + MOST_ITEMS, maxItems);
    }
    if (forEach.isEmpty() && (maxItems != DEFAULT_MAX_ITEMS || onExcess != Excess.REJECT)) {
      throw new ConfigException("max_items", "limits of a fan-out need for_each");
    }
    if (forEach.isEmpty() && !join && when.isEmpty() && unless.isEmpty()) {
      throw new ConfigException("", "for_each, join, when or unless", "none of them");
    }
    if (!when.isEmpty() && !unless.isEmpty()) {
      throw new ConfigException("unless", "not with when: a step has one condition");
    }
  }

  /** Returns the tensor that decides whether the step runs; empty if none does. */
  public String condition() {
    return when.isEmpty() ? unless : when;
  }

  public boolean fansOut() {
    return !forEach.isEmpty();
  }
}
