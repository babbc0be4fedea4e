package dev.conveyor.scheduler.decisions;

import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.scheduler.batching.Batcher;
import dev.conveyor.scheduler.batching.Limit;
import dev.conveyor.scheduler.decisions.Decision.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;

/**
 * The last decisions of the scheduler, and why they were taken: a ring for those about requests,
 * and one for the rare others, which a second of batches would push out otherwise.
 *
 * <p>Not thread-safe: owned by the scheduler. To note a decision stores a few numbers in entries
 * that are there already; words are made when somebody reads.
 */
public final class DecisionLog {

  /** One slot of the ring, used over and over. */
  private static final class Slot {
    long sequence = -1;
    long atNs;
    Kind kind = Kind.RUN;
    Limit limit = Limit.QUEUE;
    String model = "";
    String version = "";
    String device = "";
    int requests;
    int items;
    long predictedNs;
    long detailNs;
    List<String> traces = List.of();
  }

  /** Traces that are kept of one batch. */
  private static final int MOST_TRACES = 64;

  private static final long TENTH_OF_MS = 100_000;

  /** Rare decisions that are kept. */
  private static final int RARE = 256;

  private final Slot[] ring;
  private final ArrayDeque<Note> notes = new ArrayDeque<>();

  /** Decisions in the ring, and all. */
  private long slots;

  private long taken;

  /** A rare decision, in words. */
  private record Note(
      long sequence,
      long atNs,
      Kind kind,
      String model,
      String version,
      String device,
      String reason) {}

  /** Creates an empty log that keeps the last {@code capacity} decisions about requests. */
  public DecisionLog(int capacity) {
    ring = new Slot[capacity];
    for (int i = 0; i < capacity; i++) {
      ring[i] = new Slot();
    }
  }

  /**
   * Notes a rare decision that is not about requests.
   *
   * @param model empty if it concerns all of a device
   * @param device empty if it does not concern one
   */
  public void notes(
      Kind kind, String model, String version, String device, String reason, long nowNs) {
    if (notes.size() == RARE) {
      notes.removeLast();
    }
    notes.addFirst(new Note(taken++, nowNs, kind, model, version, device, reason));
  }

  /**
   * Notes that a batch runs.
   *
   * @param by what cut it, just before
   */
  public void runs(
      ModelPlan plan, String device, Batch batch, long predictedNs, Batcher by, long nowNs) {
    Slot slot = next(Kind.RUN, plan, device, batch.requests().size(), nowNs);
    slot.items = batch.items();
    slot.predictedNs = predictedNs;
    slot.limit = by.limit();
    slot.detailNs = by.limitNs();
    slot.traces = traces(batch.requests());
  }

  /**
   * Notes that requests were given up. Repeated at once, it adds to the last.
   *
   * @param missNs as {@link Batcher#droppedNs}
   */
  public void dropped(ModelPlan plan, int requests, long missNs, long nowNs) {
    Slot last = last();
    if (repeats(last, Kind.DROP, plan, "")) {
      last.requests += requests;
      last.atNs = nowNs;
    } else {
      next(Kind.DROP, plan, "", requests, nowNs).detailNs = missNs;
    }
  }

  /**
   * Notes that requests wait for more though an instance is free. Repeated at once, it replaces the
   * last.
   *
   * @param untilNs how long at most
   */
  public void waits(ModelPlan plan, String device, int requests, long untilNs, long nowNs) {
    Slot last = last();
    if (repeats(last, Kind.WAIT, plan, device)) {
      last.requests = requests;
      last.detailNs = untilNs;
      last.atNs = nowNs;
    } else {
      next(Kind.WAIT, plan, device, requests, nowNs).detailNs = untilNs;
    }
  }

  private Slot last() {
    return ring[(int) ((slots + ring.length - 1) % ring.length)];
  }

  private static boolean repeats(Slot last, Kind kind, ModelPlan plan, String device) {
    return last.sequence >= 0
        && last.kind == kind
        && last.model.equals(plan.name())
        && last.version.equals(plan.version())
        && last.device.equals(device);
  }

  /** Returns the last decisions that a query asks for, the latest first. */
  public Decisions find(DecisionQuery query, long nowNs) {
    List<Decision> found = new ArrayList<>();
    Iterator<Note> rare =
        notes.stream().filter(note -> asksFor(query, note.model(), note.kind())).iterator();
    Note note = rare.hasNext() ? rare.next() : null;
    long n = slots - 1;
    while (found.size() < query.limit()) {
      Slot slot = n >= 0 && n >= slots - ring.length ? ring[(int) (n % ring.length)] : null;
      if (slot != null && !asksFor(query, slot.model, slot.kind)) {
        n--;
      } else if (note != null && (slot == null || note.sequence() > slot.sequence)) {
        found.add(decision(note, nowNs));
        note = rare.hasNext() ? rare.next() : null;
      } else if (slot != null) {
        found.add(decision(slot, nowNs));
        n--;
      } else {
        break;
      }
    }
    return new Decisions(taken, found);
  }

  private static boolean asksFor(DecisionQuery query, String model, Kind kind) {
    return (query.model().isEmpty() || query.model().equals(model))
        && (query.kind().isEmpty() || query.kind().get() == kind);
  }

  private Slot next(Kind kind, ModelPlan plan, String device, int requests, long nowNs) {
    Slot slot = ring[(int) (slots++ % ring.length)];
    slot.sequence = taken++;
    slot.atNs = nowNs;
    slot.kind = kind;
    slot.model = plan.name();
    slot.version = plan.version();
    slot.device = device;
    slot.requests = requests;
    slot.items = 0;
    slot.predictedNs = 0;
    slot.detailNs = 0;
    slot.traces = List.of();
    return slot;
  }

  private static List<String> traces(List<InferenceRequest> requests) {
    List<String> traces = List.of(); // as it is for most
    for (int i = 0; i < requests.size() && traces.size() < MOST_TRACES; i++) {
      String trace = requests.get(i).trace();
      if (!trace.isEmpty()) {
        if (traces.isEmpty()) {
          traces = new ArrayList<>();
        }
        traces.add(trace);
      }
    }
    return traces;
  }

  private static Decision decision(Note note, long nowNs) {
    return new Decision(
        note.sequence(),
        nowNs - note.atNs(),
        note.kind(),
        note.model(),
        note.version(),
        note.device(),
        0,
        0,
        0,
        note.reason(),
        List.of());
  }

  private static Decision decision(Slot slot, long nowNs) {
    return new Decision(
        slot.sequence,
        nowNs - slot.atNs,
        slot.kind,
        slot.model,
        slot.version,
        slot.device,
        slot.requests,
        slot.items,
        slot.predictedNs,
        reason(slot),
        slot.traces);
  }

  private static String reason(Slot slot) {
    return switch (slot.kind) {
      case RUN -> "batch of " + slot.items + ": " + limit(slot);
      case DROP ->
          "dropped "
              + slot.requests
              + (slot.detailNs == Batcher.TIMED_OUT
                  ? ": timed out in the queue"
                  : ": could not end before "
                      + (slot.requests == 1 ? "its deadline" : "their deadlines")
                      + ", the first by "
                      + millis(slot.detailNs));
      case WAIT ->
          "waits: " + slot.requests + " queued, for more, " + millis(slot.detailNs) + " at most";
      case LIMIT, SCALE, EVICT, PLACE, LOAD, REFUSE ->
          throw new IllegalStateException(slot.kind + " is a note");
    };
  }

  private static String limit(Slot slot) {
    return switch (slot.limit) {
      case QUEUE -> "all that waited";
      case MAX_BATCH_SIZE -> "max_batch_size";
      case PREFERRED_SIZE -> "preferred_batch_size";
      case NEXT_REQUEST -> "the next request has another shape or does not fit";
      case DEADLINE ->
          ordinal(slot.items + 1) + " would miss its deadline by " + millis(slot.detailNs);
      case OTHERS -> "more at once would be no faster, and other models would wait for it";
      case NO_BATCHING -> "the model does not combine requests";
      case PROBE -> "none can meet its deadline as it seems; to learn whether that is so";
    };
  }

  private static String ordinal(int n) {
    int tens = n % 100;
    String suffix =
        tens >= 11 && tens <= 13
            ? "th"
            : switch (n % 10) {
              case 1 -> "st";
              case 2 -> "nd";
              case 3 -> "rd";
              default -> "th";
            };
    return n + suffix;
  }

  private static String millis(long ns) {
    return ns < TENTH_OF_MS
        ? (ns + 999) / 1000 + " us"
        : String.format(Locale.ROOT, "%.1f ms", ns / 1e6);
  }
}
