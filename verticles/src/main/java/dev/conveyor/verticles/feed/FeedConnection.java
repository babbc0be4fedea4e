package dev.conveyor.verticles.feed;

import io.vertx.core.Future;

/** The connection of one stream. Not thread-safe: owned by the event loop that opened it. */
interface FeedConnection {

  /** What the server says about frames; on the event loop of the connection. */
  interface Listener {
    void answered(long number);

    void dropped(long number);

    void failed(long number, String message);

    /** Something about the stream as a whole. */
    void said(String message);
  }

  /** Returns true if a frame written now would only wait in memory. */
  boolean isFull();

  void send(long number, byte[] frame);

  /** Ends the stream; completes when the server has ended its side. */
  Future<Void> end();
}
