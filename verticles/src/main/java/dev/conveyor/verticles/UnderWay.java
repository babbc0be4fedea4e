package dev.conveyor.verticles;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.ReplyTo;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The requests that the scheduler does not know, or not as what they are: those of ensembles, and
 * those whose images are decoded. A step or a decoder that never ends must not leave them without
 * an answer when the server stops.
 *
 * <p>Thread-safe. After {@link #answerAll} whoever is added is answered at once.
 */
final class UnderWay {

  private final Set<ReplyTo> replies = ConcurrentHashMap.newKeySet();
  private volatile boolean over;

  /** Adds a request, until it is answered. */
  void add(ReplyTo reply) {
    replies.add(reply);
    reply.afterwards(() -> replies.remove(reply));
    if (over) {
      reply.fail(InferenceException.shuttingDown());
    }
  }

  /** Tells everybody who waits that the server stops. */
  void answerAll() {
    over = true;
    replies.forEach(reply -> reply.fail(InferenceException.shuttingDown()));
  }
}
