package dev.conveyor.verticles.feed;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;

/**
 * One camera: sends a frame whenever one is due, whatever became of those before.
 *
 * <p>Not thread-safe: owned by the event loop of its connection.
 */
final class FeedLane implements FeedConnection.Listener {

  private final Vertx vertx;
  private final FeedPlan plan;
  private final int index;
  private final StreamTally tally = new StreamTally();
  private final Promise<Void> finished = Promise.promise();
  private long firstNs;
  private long due;

  FeedLane(Vertx vertx, FeedPlan plan, int index) {
    this.vertx = vertx;
    this.plan = plan;
    this.index = index;
  }

  StreamTally tally() {
    return tally;
  }

  /**
   * Plays; completes when the server has ended its side.
   *
   * @param startNs when the first stream begins; the others follow evenly within one period
   */
  Future<Void> play(FeedConnection connection, long startNs) {
    firstNs = startNs + plan.periodNs() * index / plan.streams();
    next(connection);
    return finished.future();
  }

  private void next(FeedConnection connection) {
    long nowNs = System.nanoTime();
    while (dueNs() - nowNs <= 0 && dueNs() - firstNs < plan.duration().toNanos()) {
      send(connection);
      due++;
    }
    if (dueNs() - firstNs >= plan.duration().toNanos()) {
      connection.end().onComplete(finished);
      return;
    }
    long delayMs = Math.max(1, (dueNs() - System.nanoTime() + 999_999) / 1_000_000);
    vertx.setTimer(delayMs, id -> next(connection));
  }

  private void send(FeedConnection connection) {
    if (connection.isFull()) {
      tally.skip();
      return;
    }
    byte[] frame = plan.frames().get((int) ((due + index) % plan.frames().size()));
    connection.send(tally.send(dueNs()), frame);
  }

  private long dueNs() {
    return firstNs + due * plan.periodNs();
  }

  @Override
  public void answered(long number) {
    tally.answer(number, System.nanoTime());
  }

  @Override
  public void dropped(long number) {
    tally.drop(number);
  }

  @Override
  public void failed(long number, String message) {
    tally.fail(number, message);
  }

  @Override
  public void said(String message) {
    tally.note(message);
  }
}
