package dev.conveyor.verticles.cli.demo;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * Sends groups of images, a fixed number of groups at a time, and times each.
 *
 * <p>Thread-confined: all state belongs to one event loop. Used for one run.
 */
final class Pass {

  /** Sends the images of group {@code number} to both models. */
  @FunctionalInterface
  interface Sender {
    Future<List<Verdict>> send(int number, List<DemoImage> images);
  }

  private final List<List<DemoImage>> groups;
  private final int inFlight;
  private final Sender sender;
  private final Histogram latencyNs = new Histogram(3);
  private final Promise<PassResult> result = Promise.promise();
  private int sent;
  private int answered;
  private int images;
  private long startNs;

  private Pass(List<List<DemoImage>> groups, int inFlight, Sender sender) {
    this.groups = groups;
    this.inFlight = inFlight;
    this.sender = sender;
  }

  /**
   * Runs a pass.
   *
   * @param rounds how often every image is sent
   * @param perGroup images that travel together
   * @param inFlight groups under way at any time
   */
  static Future<PassResult> run(
      Vertx vertx, List<DemoImage> images, int rounds, int perGroup, int inFlight, Sender sender) {
    Pass pass = new Pass(groups(images, rounds, perGroup), inFlight, sender);
    Context context = vertx.getOrCreateContext();
    context.runOnContext(v -> pass.start());
    return pass.result.future();
  }

  private static List<List<DemoImage>> groups(List<DemoImage> images, int rounds, int perGroup) {
    List<DemoImage> all = new ArrayList<>();
    for (int round = 0; round < rounds; round++) {
      all.addAll(images);
    }
    List<List<DemoImage>> groups = new ArrayList<>();
    for (int from = 0; from < all.size(); from += perGroup) {
      groups.add(all.subList(from, Math.min(all.size(), from + perGroup)));
    }
    return groups;
  }

  private void start() {
    startNs = System.nanoTime();
    for (int i = 0; i < Math.min(inFlight, groups.size()); i++) {
      sendNext();
    }
  }

  private void sendNext() {
    int number = sent++;
    List<DemoImage> group = groups.get(number);
    long sentNs = System.nanoTime();
    sender
        .send(number, group)
        .onComplete(verdicts -> onAnswer(group.size(), sentNs), result::tryFail);
  }

  private void onAnswer(int count, long sentNs) {
    long nowNs = System.nanoTime();
    latencyNs.recordValueWithCount(nowNs - sentNs, count);
    images += count;
    answered++;
    if (answered == groups.size()) {
      result.tryComplete(new PassResult(images, nowNs - startNs, latencyNs));
    } else if (sent < groups.size() && !result.future().isComplete()) {
      sendNext();
    }
  }
}
