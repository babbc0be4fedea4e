package dev.conveyor.verticles.cli.demo;

import java.util.List;

/**
 * What the inspection line says about one picture.
 *
 * @param label class of the picture, as {@link VerdictStep} decided
 * @param confidence its probability
 * @param passes it has no defect
 * @param regions defects that were found, the largest first
 */
record LineVerdict(String label, double confidence, boolean passes, List<Region> regions) {

  /**
   * One defect.
   *
   * @param x1 left, in pixels of the picture; the others likewise
   * @param area share of the picture that is defective here
   * @param label class of the crop around it
   * @param confidence its probability
   */
  record Region(
      double x1, double y1, double x2, double y2, double area, String label, double confidence) {}

  double area() {
    return regions.stream().mapToDouble(Region::area).sum();
  }
}
