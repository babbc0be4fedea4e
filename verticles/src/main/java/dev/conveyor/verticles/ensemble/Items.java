package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Rows;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.StepFlow;
import dev.conveyor.models.ensemble.FanOut;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The items of one request at one fan-out: each takes a pass of its own through the steps up to the
 * join, {@link #WINDOW} of them at a time, and what they give is joined in their order.
 *
 * <p>Thread-confined: the context of the request.
 */
final class Items {

  /** Items of one request under way; so a request with many leaves room in queues for others. */
  static final int WINDOW = 64;

  /** More is copied on a worker. */
  private static final int MAX_INLINE_BYTES = 64 * 1024;

  private final StepCalls calls;
  private final FanOut node;
  private final List<@Nullable Tensor> captured;
  private final Consumer<List<Tensor>> whenJoined;
  private final List<Rows> apart = new ArrayList<>();
  private final Map<Integer, Pass> running = new HashMap<>();
  private List<List<Optional<Tensor>>> results = List.of();
  private int count;
  private int next;
  private int unfinished;
  private boolean filling;
  private boolean over;

  /**
   * Prepares the items.
   *
   * @param captured in the order of the node's inputs; taken over
   * @param whenJoined gets what is joined, in the order of the node's outputs
   */
  Items(
      StepCalls calls,
      FanOut node,
      List<@Nullable Tensor> captured,
      Consumer<List<Tensor>> whenJoined) {
    this.calls = calls;
    this.node = node;
    this.captured = captured;
    this.whenJoined = whenJoined;
  }

  /** Begins; without items it is done when this returns. */
  void start() {
    try {
      count = count();
    } catch (InferenceException e) {
      calls.fail(node.label(), e);
      return;
    }
    results = new ArrayList<>(count);
    for (int item = 0; item < count; item++) {
      results.add(new ArrayList<>(0));
    }
    unfinished = count;
    fill();
  }

  /** The request is over: gives back what is held. */
  void end() {
    over = true;
    running.values().forEach(Pass::end);
    running.clear();
    results.forEach(outputs -> outputs.forEach(output -> output.ifPresent(Tensor::close)));
    results = List.of();
    release();
  }

  private int count() {
    int rows = -1;
    for (int i = 0; i < node.apart(); i++) {
      Tensor tensor = captured.get(i);
      if (tensor == null) {
        return 0;
      }
      Rows taken = Rows.of(tensor);
      if (rows >= 0 && taken.count() != rows) {
        throw InferenceException.invalid(
            "tensor '%s' has %d rows and tensor '%s' has %d, but they are taken apart together"
                .formatted(
                    node.inputs().get(0).name(), rows, node.inputs().get(i).name(), taken.count()));
      }
      rows = taken.count();
      apart.add(taken);
    }
    if (rows > node.maxItems() && node.onExcess() == StepFlow.Excess.REJECT) {
      throw new InferenceException(
          ErrorCode.INVALID_REQUEST,
          "%d items, at most max_items=%d are taken".formatted(rows, node.maxItems()));
    }
    return Math.min(rows, node.maxItems());
  }

  /** Starts items while there is room; items may end while they are started. */
  private void fill() {
    if (filling) {
      return;
    }
    filling = true;
    while (next < count && next - (count - unfinished) < WINDOW && !isOver()) {
      begin(next++);
    }
    filling = false;
    if (unfinished == 0 && !isOver()) {
      release();
      join();
    }
  }

  private boolean isOver() {
    return over || calls.isOver();
  }

  private void begin(int item) {
    List<@Nullable Tensor> inputs = share(item);
    Pass pass = new Pass(calls, node.body(), item, outputs -> finish(item, outputs));
    running.put(item, pass);
    pass.start(inputs, true);
  }

  /** Returns what an item reads: its rows, and shares of what is whole. All of them or none. */
  private List<@Nullable Tensor> share(int item) {
    List<@Nullable Tensor> shares = new ArrayList<>(captured.size());
    boolean complete = false;
    try {
      for (int i = 0; i < captured.size(); i++) {
        Tensor whole = captured.get(i);
        Tensor share =
            i < apart.size()
                ? apart.get(i).tryShare(item)
                : whole == null ? null : whole.tryShare();
        if (whole != null && share == null) {
          throw new IllegalStateException(whole + " was closed by a step that did not own it");
        }
        shares.add(share);
      }
      complete = true;
      return shares;
    } finally {
      if (!complete) {
        Pass.closeAll(shares);
      }
    }
  }

  private void finish(int item, List<Optional<Tensor>> outputs) {
    running.remove(item);
    results.set(item, outputs);
    unfinished--;
    fill();
  }

  private void join() {
    Join join = new Join(node.joined(), results);
    results = List.of();
    calls.handOver().countJoin(join.copiedBytes());
    if (join.copiedBytes() > MAX_INLINE_BYTES) {
      calls.work(node.label(), join, join.parts(), whenJoined);
      return;
    }
    List<Tensor> joined;
    try {
      joined = calls.workHere(join, join.parts());
    } catch (InferenceException e) {
      calls.fail(node.label(), e);
      return;
    } finally {
      join.parts().forEach(Tensor::close);
    }
    whenJoined.accept(joined);
  }

  private void release() {
    Pass.closeAll(captured);
    captured.clear();
  }
}
