package dev.conveyor.verticles.bench.report;

import dev.conveyor.verticles.bench.report.Canvas.Anchor;
import java.util.List;

/** Draws a figure: title, panels side by side, axes with units, grid, lines, legend. Stateless. */
final class FigurePainter {

  static final int PANEL_WIDTH = 520;
  static final int HEIGHT = 400;

  private static final int LEFT = 84;
  private static final int RIGHT = 24;
  private static final int TOP = 88;
  private static final int BOTTOM = 60;
  private static final int INK = 0x222222;
  private static final int FAINT = 0x666666;
  private static final int GRID = 0xe3e3e3;
  // Okabe and Ito's palette: told apart with any colour vision.
  private static final int[] COLOURS = {
    0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x000000, 0x999999, 0x882255,
    0xb8a400
  };
  private static final int LEGEND_ROW = 18;

  private FigurePainter() {}

  static int width(Figure figure) {
    return PANEL_WIDTH * Math.max(1, figure.panels().size());
  }

  static int height(Figure figure) {
    return HEIGHT + legendHeight(figure);
  }

  /** Returns what the longest legend needs beyond one row. */
  private static int legendHeight(Figure figure) {
    int rows = 1;
    for (Figure.Panel panel : figure.panels()) {
      double x = 0;
      int own = 1;
      for (Figure.Series series : panel.series()) {
        if (x > 0 && x + legendWidth(series) > PANEL_WIDTH - LEFT) {
          own++;
          x = 0;
        }
        x += legendWidth(series);
      }
      rows = Math.max(rows, own);
    }
    return (rows - 1) * LEGEND_ROW;
  }

  private static double legendWidth(Figure.Series series) {
    return 48 + 7.2 * series.name().length();
  }

  static void paint(Canvas canvas, Figure figure) {
    canvas.text(LEFT, 32, figure.title(), Anchor.START, INK, 16);
    for (int i = 0; i < figure.panels().size(); i++) {
      paintPanel(canvas, figure, figure.panels().get(i), i * PANEL_WIDTH);
    }
  }

  private static void paintPanel(Canvas canvas, Figure figure, Figure.Panel panel, double offset) {
    List<Figure.Point> points = panel.series().stream().flatMap(s -> s.points().stream()).toList();
    double max = points.stream().mapToDouble(Figure.Point::y).max().orElse(1);
    double min = points.stream().mapToDouble(Figure.Point::y).min().orElse(0);
    int height = height(figure);
    Frame frame =
        new Frame(
            offset + LEFT,
            offset + PANEL_WIDTH - RIGHT,
            TOP + legendHeight(figure),
            height - BOTTOM,
            Axis.over(points.stream().map(Figure.Point::x).toList()),
            panel.logarithmic() ? Axis.suited(min, max) : Axis.linear(max));
    paintAxes(canvas, frame);
    canvas.text(
        (frame.left + frame.right) / 2, height - 16, figure.xLabel(), Anchor.MIDDLE, FAINT, 12);
    String scale = frame.y.logarithmic() ? ", log scale" : "";
    canvas.upward(offset + 20, (frame.top + frame.bottom) / 2, panel.yLabel() + scale, FAINT, 12);
    // The first series is drawn last: where lines coincide it is the one to be seen.
    for (int i = panel.series().size() - 1; i >= 0; i--) {
      paintSeries(canvas, frame, panel.series().get(i), COLOURS[i % COLOURS.length]);
    }
    paintLegend(canvas, panel.series(), offset);
  }

  private static void paintLegend(Canvas canvas, List<Figure.Series> all, double offset) {
    double x = 0;
    double y = TOP - 24;
    for (int i = 0; i < all.size(); i++) {
      Figure.Series series = all.get(i);
      if (x > 0 && x + legendWidth(series) > PANEL_WIDTH - LEFT) {
        x = 0;
        y += LEGEND_ROW;
      }
      double left = offset + LEFT + x;
      int colour = COLOURS[i % COLOURS.length];
      canvas.line(left, y, left + 18, y, colour, 2);
      canvas.dot(left + 9, y, 3.5, colour);
      canvas.text(left + 24, y + 4, series.name(), Anchor.START, INK, 12);
      x += legendWidth(series);
    }
  }

  private static void paintAxes(Canvas canvas, Frame frame) {
    for (double tick : frame.y.ticks()) {
      double y = frame.yAt(tick);
      canvas.line(frame.left, y, frame.right, y, GRID, 1);
      canvas.text(frame.left - 8, y + 4, Axis.label(tick), Anchor.END, INK, 12);
    }
    for (double tick : frame.x.ticks()) {
      double x = frame.xAt(tick);
      canvas.line(x, frame.bottom, x, frame.bottom + 5, INK, 1);
      canvas.text(x, frame.bottom + 20, Axis.label(tick), Anchor.MIDDLE, INK, 12);
    }
    canvas.line(frame.left, frame.top, frame.left, frame.bottom, INK, 1);
    canvas.line(frame.left, frame.bottom, frame.right, frame.bottom, INK, 1);
  }

  private static void paintSeries(Canvas canvas, Frame frame, Figure.Series series, int colour) {
    Figure.Point before = null;
    for (Figure.Point point : series.points()) {
      if (before != null && series.joined()) {
        canvas.line(
            frame.xAt(before.x()),
            frame.yAt(before.y()),
            frame.xAt(point.x()),
            frame.yAt(point.y()),
            colour,
            2);
      }
      before = point;
    }
    for (Figure.Point point : series.points()) {
      canvas.dot(frame.xAt(point.x()), frame.yAt(point.y()), 3.5, colour);
    }
  }

  /** The rectangle between the axes, in pixels. */
  private record Frame(double left, double right, double top, double bottom, Axis x, Axis y) {

    double xAt(double value) {
      return left + x.at(value) * (right - left);
    }

    double yAt(double value) {
      return bottom - y.at(value) * (bottom - top);
    }
  }
}
