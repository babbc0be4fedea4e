package dev.conveyor.verticles.stream;

import dev.conveyor.models.InferenceException;
import java.util.function.Consumer;

/**
 * Cuts the bytes of a stream into frames, as they come.
 *
 * <p>Not thread-safe: owned by the event loop of the stream.
 */
public interface FrameSplitter {

  /**
   * Takes the next bytes, and hands over every frame that ends in them. A frame that is refused is
   * handed over when that is known; the rest of it is skipped.
   *
   * @throws InferenceException if what comes after this cannot be understood either
   */
  void accept(byte[] bytes, Consumer<Frame> frames);

  /** Returns whether a frame has begun whose end has not come. */
  boolean isMidFrame();

  /** Ends the stream: a frame that is not complete is handed over as refused. */
  void end(Consumer<Frame> frames);

  /** Forgets what has come of a frame, and gives its memory back. */
  void close();
}
