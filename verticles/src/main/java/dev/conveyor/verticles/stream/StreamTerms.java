package dev.conveyor.verticles.stream;

import dev.conveyor.models.InferenceException;
import org.jspecify.annotations.Nullable;

/**
 * How a stream wants its frames treated.
 *
 * @param maxInFlight frames that may be under way at a time: sent to the model and not answered yet
 * @param inOrder answers come in the order of their frames; else as they are ready
 */
public record StreamTerms(FramePolicy policy, int maxInFlight, boolean inOrder) {

  public static final String POLICY = "frame_policy";
  public static final String IN_FLIGHT = "frames_in_flight";
  public static final String ORDER = "answer_order";

  /** The same three as headers of HTTP and metadata of gRPC. */
  public static final String POLICY_HEADER = "x-frame-policy";

  public static final String IN_FLIGHT_HEADER = "x-frames-in-flight";
  public static final String ORDER_HEADER = "x-answer-order";

  /** One frame computes while the next is decoded; more only make what is answered older. */
  private static final int LIVE_IN_FLIGHT = 2;

  private static final String IN_ORDER = "in_order";
  private static final String AS_COMPLETED = "as_completed";

  public StreamTerms {
    if (maxInFlight < 1) {
      throw new IllegalArgumentException("maxInFlight must be >= 1, was " + maxInFlight);
    }
  }

  /**
   * Reads what a client asks for; what it leaves out is as in {@code usual}, but that a stream
   * which may lose frames has two of them under way.
   *
   * @param usual also the most frames that may be under way
   * @throws InferenceException INVALID_REQUEST, naming the key
   */
  public static StreamTerms of(
      @Nullable String policy,
      @Nullable String inFlight,
      @Nullable String order,
      StreamTerms usual) {
    FramePolicy chosen = policy == null ? usual.policy : FramePolicy.of(POLICY, policy);
    int most = usual.maxInFlight;
    int frames = chosen == FramePolicy.BLOCK ? most : Math.min(LIVE_IN_FLIGHT, most);
    return new StreamTerms(
        chosen,
        inFlight == null ? frames : inFlight(inFlight, most),
        order == null ? usual.inOrder : inOrder(order));
  }

  private static int inFlight(String value, int most) {
    try {
      int frames = Integer.parseInt(value);
      if (frames >= 1 && frames <= most) {
        return frames;
      }
    } catch (NumberFormatException e) {
      // Falls through to the same refusal.
    }
    throw InferenceException.invalid(
        "%s must be a number from 1 to %d, was '%s'".formatted(IN_FLIGHT, most, value));
  }

  private static boolean inOrder(String value) {
    return switch (value) {
      case IN_ORDER -> true;
      case AS_COMPLETED -> false;
      default ->
          throw InferenceException.invalid(
              "%s must be %s or %s, was '%s'".formatted(ORDER, IN_ORDER, AS_COMPLETED, value));
    };
  }
}
