package dev.conveyor.verticles.bench.load;

import io.vertx.core.Promise;

/** Sends a fixed number of requests. Thread-confined: owned by the event loop it starts on. */
final class CountedRun {

  private final LoadClient client;
  private final int requests;
  private final Promise<Void> done;
  private int sent;
  private int answered;

  CountedRun(LoadClient client, int requests, Promise<Void> done) {
    this.client = client;
    this.requests = requests;
    this.done = done;
  }

  void start(int concurrency) {
    for (int i = 0; i < concurrency; i++) {
      next();
    }
  }

  private void next() {
    if (sent == requests) {
      return;
    }
    client
        .send(sent++)
        .onComplete(
            answer -> {
              if (++answered == requests) {
                done.tryComplete();
              }
              next();
            },
            done::tryFail);
  }
}
