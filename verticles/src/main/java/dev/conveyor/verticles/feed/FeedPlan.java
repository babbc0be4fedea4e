package dev.conveyor.verticles.feed;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What to play, and to whom.
 *
 * @param frames encoded pictures, played in a loop; each stream begins at another one
 * @param streams cameras that play at the same time, each on its own connection
 * @param framesPerSecond of each stream
 * @param duration how long frames are due
 * @param policy what the server does with frames it cannot take; null for its default
 * @param inFlight frames of a stream under way at a time; 0 for the server's default
 * @param outputs asked for; empty asks for all
 */
public record FeedPlan(
    Target target,
    List<byte[]> frames,
    int streams,
    double framesPerSecond,
    Duration duration,
    @Nullable String policy,
    int inFlight,
    List<String> outputs) {

  /** How frames travel. */
  public enum Protocol {
    HTTP,
    GRPC
  }

  /** Where they go. */
  public record Target(Protocol protocol, String host, int port, String model) {}

  public FeedPlan {
    if (frames.isEmpty()) {
      throw new IllegalArgumentException("there is no frame to play");
    }
    if (streams < 1) {
      throw new IllegalArgumentException("streams must be >= 1, was " + streams);
    }
    if (!(framesPerSecond > 0 && framesPerSecond <= 1e6)) {
      throw new IllegalArgumentException(
          "frames per second must be above 0, at most 1000000, was " + framesPerSecond);
    }
    if (duration.isNegative() || duration.isZero()) {
      throw new IllegalArgumentException("the duration must be above 0, was " + duration);
    }
    frames = List.copyOf(frames);
    outputs = List.copyOf(outputs);
  }

  /** Returns the same plan for another time. */
  public FeedPlan lasting(Duration other) {
    return new FeedPlan(target, frames, streams, framesPerSecond, other, policy, inFlight, outputs);
  }

  /** Returns the time from one frame of a stream to its next. */
  long periodNs() {
    return Math.max(1, Math.round(1e9 / framesPerSecond));
  }
}
