package dev.conveyor.verticles.stream;

import org.jspecify.annotations.Nullable;

/**
 * Does what a {@link FrameGate} decides.
 *
 * <p>Not thread-safe: owned by the event loop of the stream, as the gate is.
 *
 * @param <F> a frame
 */
public final class FramePump<F> {

  /** What a stream does with its frames. Each may call the pump again. */
  public interface Effects<F> {

    /** Sends a frame to the model. */
    void submit(F frame);

    /** Gives back what a dropped frame holds, and tells the client. */
    void drop(F frame);

    /** Sends the answer of a frame that was settled, and gives back what it holds. */
    void deliver(F frame);

    /** Calls off a frame that is not answered, and gives back what it holds. */
    void abandon(F frame);

    /** There is nothing to do until a frame comes or is settled. */
    void rest();
  }

  private final FrameGate<F> gate;
  private final Effects<F> effects;
  private boolean running;

  public FramePump(FrameGate<F> gate, Effects<F> effects) {
    this.gate = gate;
    this.effects = effects;
  }

  public FrameGate<F> gate() {
    return gate;
  }

  /** Takes a frame that the gate was offered, or settled, as far as it goes. */
  public void run() {
    if (running) {
      return; // whoever runs does it
    }
    running = true;
    try {
      while (step()) {
        // Each step may have made the next one possible.
      }
    } finally {
      running = false;
    }
    effects.rest();
  }

  /** Gives up on everything that is not answered. */
  public void abandon() {
    for (F frame = gate.pollDropped(); frame != null; frame = gate.pollDropped()) {
      effects.drop(frame);
    }
    gate.abandon().forEach(effects::abandon);
  }

  private boolean step() {
    @Nullable F frame = gate.pollDropped();
    if (frame != null) {
      effects.drop(frame);
      return true;
    }
    frame = gate.pollReady();
    if (frame != null) {
      effects.submit(frame);
      return true;
    }
    frame = gate.pollSettled();
    if (frame != null) {
      effects.deliver(frame);
      return true;
    }
    return false;
  }
}
