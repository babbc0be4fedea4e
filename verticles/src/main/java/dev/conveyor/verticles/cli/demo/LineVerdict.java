package dev.conveyor.verticles.cli.demo;

import java.util.List;

/**
 * What the inspection line says about one picture.
 *
 * @param label class of the whole picture
 * @param confidence its probability
 * @param regions defects that were found, the largest first
 */
record LineVerdict(String label, double confidence, List<Region> regions) {

  static final String CLEAN = "clean";

  /**
   * One defect.
   *
   * @param x1 left, in pixels of the picture; the others likewise
   * @param area share of the picture that is defective here
   * @param label class of the crop around it
   * @param confidence its probability
   * @param cropArea share of the crop that is defective
   */
  record Region(
      double x1,
      double y1,
      double x2,
      double y2,
      double area,
      String label,
      double confidence,
      double cropArea) {}

  boolean passes() {
    return label.equals(CLEAN);
  }

  double area() {
    return regions.stream().mapToDouble(Region::area).sum();
  }
}
