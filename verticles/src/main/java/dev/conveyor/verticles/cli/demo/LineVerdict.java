package dev.conveyor.verticles.cli.demo;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the inspection line says about one picture.
 *
 * @param label class of the defects that were looked at again, or of the whole picture
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

  /**
   * Decides from the whole picture and from the crops of what was found in it. A crop shows a
   * defect larger than the picture does, so it knows better what it is: of the classes of crops
   * that are not clean the one with the largest area counts. Where no crop shows a defect, the
   * whole picture decides.
   */
  static LineVerdict of(String whole, double confidence, List<Region> regions) {
    Map<String, Double> areas = new LinkedHashMap<>();
    for (Region region : regions) {
      if (!region.label().equals(CLEAN)) {
        areas.merge(region.label(), region.area(), Double::sum);
      }
    }
    return areas.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(most -> new LineVerdict(most.getKey(), best(most.getKey(), regions), regions))
        .orElse(new LineVerdict(whole, confidence, regions));
  }

  private static double best(String label, List<Region> regions) {
    return regions.stream()
        .filter(region -> region.label().equals(label))
        .mapToDouble(Region::confidence)
        .max()
        .orElseThrow();
  }

  boolean passes() {
    return label.equals(CLEAN);
  }

  double area() {
    return regions.stream().mapToDouble(Region::area).sum();
  }
}
