package dev.conveyor.verticles.bench.report;

import java.util.List;

/**
 * What a plot shows: panels over one x axis. Immutable.
 *
 * @param xLabel with its unit
 */
public record Figure(String title, String xLabel, List<Panel> panels) {

  public Figure {
    panels = List.copyOf(panels);
  }

  /**
   * One pair of axes.
   *
   * @param yLabel with its unit
   * @param logarithmic whether the y axis may be logarithmic, if the values span it
   */
  public record Panel(String yLabel, boolean logarithmic, List<Series> series) {

    public Panel {
      series = List.copyOf(series);
    }
  }

  /**
   * One line and its name in the legend.
   *
   * @param joined whether a line joins the points
   */
  public record Series(String name, List<Point> points, boolean joined) {

    /** A line. */
    public Series(String name, List<Point> points) {
      this(name, points, true);
    }

    public Series {
      points = List.copyOf(points);
    }
  }

  /** One measured value. */
  public record Point(double x, double y) {}
}
