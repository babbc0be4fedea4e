package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import io.vertx.core.http.HttpConnection;
import java.util.HashMap;
import java.util.Map;

/**
 * How many calls of each connection wait for memory. What came of a call that waits stays unread
 * and takes up the connection's flow-control window: too many of them, and nothing else on it would
 * move.
 *
 * <p>Thread-confined: the event loop of its front end.
 */
final class WaitingCalls {

  /** Half of the connection's window, with as much unread as a stream may have. */
  static final int MOST = 8;

  private final Map<HttpConnection, Integer> waiting = new HashMap<>();

  /** Lets one call more wait; returns false, and changes nothing, if that is one too many. */
  boolean tryEnter(HttpConnection connection) {
    int before = waiting.getOrDefault(connection, 0);
    if (before >= MOST) {
      return false;
    }
    waiting.put(connection, before + 1);
    return true;
  }

  /** A call waits no more. */
  void leave(HttpConnection connection) {
    int left = waiting.getOrDefault(connection, 0) - 1;
    if (left > 0) {
      waiting.put(connection, left);
    } else {
      waiting.remove(connection);
    }
  }

  static InferenceException tooMany(long bytes) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "no memory for a message of %d bytes, and %d calls of the connection wait for some already"
            .formatted(bytes, MOST),
        RefusalReason.REQUEST_MEMORY,
        InferenceException.UNKNOWN);
  }
}
