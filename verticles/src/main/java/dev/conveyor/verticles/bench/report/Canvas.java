package dev.conveyor.verticles.bench.report;

/**
 * A picture that can be drawn on: pixels, x to the right, y down. Colours are {@code 0xRRGGBB}. Not
 * thread-safe: owned by whoever draws.
 */
interface Canvas {

  /** Where a text has the point it is drawn at. */
  enum Anchor {
    START,
    MIDDLE,
    END
  }

  void line(double x1, double y1, double x2, double y2, int colour, double width);

  void dot(double x, double y, double radius, int colour);

  void text(double x, double y, String text, Anchor anchor, int colour, int size);

  /** Draws text that reads upwards, its middle at the point. */
  void upward(double x, double y, String text, int colour, int size);
}
