package dev.conveyor.verticles.metrics;

import dev.conveyor.models.RefusalReason;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The counters of one version of a model.
 *
 * <p>Thread-safe. Recording takes no lock and allocates nothing, but for the first batch of each
 * size. Readers see every counter by itself: a snapshot taken under load may hold a request in one
 * counter and not yet in the next.
 */
public final class RecordingModelStats implements ModelStats {

  /** Batches beyond this size are counted as this size. */
  static final int LARGEST_BATCH = 4096;

  private final LongSupplier epochMs;
  private final LatencyHistogram queue = new LatencyHistogram();
  private final LatencyHistogram preprocess = new LatencyHistogram();
  private final LatencyHistogram copyIn = new LatencyHistogram();
  private final LatencyHistogram compute = new LatencyHistogram();
  private final LatencyHistogram copyOut = new LatencyHistogram();
  private final LatencyHistogram request = new LatencyHistogram();
  private final LongAdder items = new LongAdder();
  private final LongAdder failNs = new LongAdder();
  private final LongAdder rejected = new LongAdder();
  private final LongAdder canceled = new LongAdder();
  private final LongAdder backend = new LongAdder();
  private final LongAdder other = new LongAdder();
  private final LongAdder inside = new LongAdder();
  private final LongAdder late = new LongAdder();
  private final Map<RefusalReason, LongAdder> refused = new EnumMap<>(RefusalReason.class);
  private final Map<FrameEvent, LongAdder> frames = new EnumMap<>(FrameEvent.class);
  private final Phases perRequest = new Phases();

  // By batch size. Replaced, never written to, so that readers need no lock.
  private volatile @Nullable Phases[] batches = new Phases[0];
  private volatile long lastInferenceMs;

  public RecordingModelStats() {
    this(System::currentTimeMillis);
  }

  /** Creates counters that take the time of day, in milliseconds since the epoch, from here. */
  public RecordingModelStats(LongSupplier epochMs) {
    this.epochMs = epochMs;
    for (RefusalReason reason : RefusalReason.values()) {
      refused.put(reason, new LongAdder());
    }
    for (FrameEvent event : FrameEvent.values()) {
      frames.put(event, new LongAdder());
    }
  }

  @Override
  public void onSuccess(int items, long preprocessNs, long queueNs, long totalNs) {
    this.items.add(items);
    if (preprocessNs > 0) {
      preprocess.record(preprocessNs);
    }
    queue.record(queueNs);
    request.record(totalNs);
    long now = epochMs.getAsLong();
    // A store to a line that every thread reads is what costs; once per millisecond is enough.
    if (now != lastInferenceMs) {
      lastInferenceMs = now;
    }
  }

  @Override
  public void onFailure(Reason reason, long totalNs) {
    failures(reason).increment();
    failNs.add(totalNs);
  }

  @Override
  public void onRefused(RefusalReason reason) {
    refused.getOrDefault(reason, other).increment();
  }

  @Override
  public Map<RefusalReason, Long> refusals() {
    Map<RefusalReason, Long> counts = new EnumMap<>(RefusalReason.class);
    refused.forEach((reason, count) -> counts.put(reason, count.sum()));
    return counts;
  }

  @Override
  public void onObjective(boolean isInside) {
    (isInside ? inside : late).increment();
  }

  @Override
  public ObjectiveCounts objective() {
    long turnedAway = refused.values().stream().mapToLong(LongAdder::sum).sum();
    return new ObjectiveCounts(inside.sum(), late.sum(), turnedAway);
  }

  @Override
  public void onFrame(FrameEvent event) {
    frames.getOrDefault(event, other).increment();
  }

  @Override
  public Map<FrameEvent, Long> frames() {
    Map<FrameEvent, Long> counts = new EnumMap<>(FrameEvent.class);
    frames.forEach((event, count) -> counts.put(event, count.sum()));
    return counts.getOrDefault(FrameEvent.RECEIVED, 0L) == 0 ? Map.of() : counts;
  }

  @Override
  public void onBatch(int items, long copyInNs, long computeNs, long copyOutNs) {
    onBatch(items, items, copyInNs, computeNs, copyOutNs);
  }

  @Override
  public void onBatch(int requests, int items, long copyInNs, long computeNs, long copyOutNs) {
    copyIn.record(copyInNs);
    compute.record(computeNs);
    copyOut.record(copyOutNs);
    perRequest.add(requests, copyInNs, computeNs, copyOutNs);
    ofSize(Math.min(items, LARGEST_BATCH)).add(1, copyInNs, computeNs, copyOutNs);
  }

  @Override
  public Snapshot snapshot() {
    BatchStats phases = perRequest.read();
    LatencySnapshot answered = request.snapshot();
    LatencySnapshot queued = queue.snapshot();
    Map<Integer, BatchStats> bySize = new TreeMap<>();
    long executions = 0;
    @Nullable Phases[] sizes = batches;
    for (int size = 0; size < sizes.length; size++) {
      if (sizes[size] != null) {
        BatchStats batch = sizes[size].read();
        bySize.put(size, batch);
        executions += batch.computeInfer().count();
      }
    }
    Map<Reason, Long> reasons = new EnumMap<>(Reason.class);
    long failed = 0;
    for (Reason reason : Reason.values()) {
      long n = failures(reason).sum();
      reasons.put(reason, n);
      failed += n;
    }
    return new Snapshot(
        lastInferenceMs,
        items.sum(),
        executions,
        new Duration(answered.count(), answered.sumNs()),
        new Duration(failed, failNs.sum()),
        new Duration(queued.count(), queued.sumNs()),
        phases.computeInput(),
        phases.computeInfer(),
        phases.computeOutput(),
        bySize,
        reasons);
  }

  @Override
  public Histograms histograms() {
    return new Histograms(
        queue.snapshot(),
        preprocess.snapshot(),
        copyIn.snapshot(),
        compute.snapshot(),
        copyOut.snapshot(),
        request.snapshot());
  }

  private Phases ofSize(int items) {
    @Nullable Phases[] sizes = batches;
    @Nullable Phases phases = items < sizes.length ? sizes[items] : null;
    return phases != null ? phases : addSize(items);
  }

  private synchronized Phases addSize(int items) {
    @Nullable Phases[] sizes = batches;
    if (items < sizes.length && sizes[items] != null) {
      return sizes[items];
    }
    @Nullable Phases[] copy = Arrays.copyOf(sizes, Math.max(sizes.length, items + 1));
    Phases added = new Phases();
    copy[items] = added;
    batches = copy;
    return added;
  }

  private LongAdder failures(Reason reason) {
    return switch (reason) {
      case REJECTED -> rejected;
      case CANCELED -> canceled;
      case BACKEND -> backend;
      case OTHER -> other;
    };
  }

  /** Sums of the three phases of an execution. Thread-safe. */
  private static final class Phases {
    private final LongAdder count = new LongAdder();
    private final LongAdder copyInNs = new LongAdder();
    private final LongAdder computeNs = new LongAdder();
    private final LongAdder copyOutNs = new LongAdder();

    void add(int times, long copyIn, long compute, long copyOut) {
      count.add(times);
      copyInNs.add(times * copyIn);
      computeNs.add(times * compute);
      copyOutNs.add(times * copyOut);
    }

    BatchStats read() {
      long n = count.sum();
      return new BatchStats(
          new Duration(n, copyInNs.sum()),
          new Duration(n, computeNs.sum()),
          new Duration(n, copyOutNs.sum()));
    }
  }
}
