package dev.conveyor.verticles.bench.report;

import java.util.Locale;

/** Draws an SVG document. Not thread-safe: owned by whoever draws. */
final class SvgCanvas implements Canvas {

  private final StringBuilder svg = new StringBuilder();

  SvgCanvas(int width, int height) {
    append(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\""
            + " viewBox=\"0 0 %d %d\" font-family=\"Helvetica, Arial, sans-serif\">%n"
            + "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>%n",
        width, height, width, height);
  }

  @Override
  public void line(double x1, double y1, double x2, double y2, int colour, double width) {
    append(
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#%06x\""
            + " stroke-width=\"%.1f\" stroke-linecap=\"round\"/>%n",
        x1, y1, x2, y2, colour, width);
  }

  @Override
  public void dot(double x, double y, double radius, int colour) {
    append("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"#%06x\"/>%n", x, y, radius, colour);
  }

  @Override
  public void text(double x, double y, String text, Anchor anchor, int colour, int size) {
    append(
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"#%06x\" font-size=\"%d\">%s</text>%n",
        x, y, anchor.name().toLowerCase(Locale.ROOT), colour, size, escape(text));
  }

  @Override
  public void upward(double x, double y, String text, int colour, int size) {
    append(
        "<text transform=\"translate(%.1f,%.1f) rotate(-90)\" text-anchor=\"middle\""
            + " fill=\"#%06x\" font-size=\"%d\">%s</text>%n",
        x, y, colour, size, escape(text));
  }

  /** Returns the whole document. */
  String document() {
    return svg + "</svg>\n";
  }

  private void append(String format, Object... arguments) {
    svg.append(String.format(Locale.ROOT, format, arguments).replace("\r\n", "\n"));
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
