package dev.conveyor.models.optimize.data;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an item really shows.
 *
 * @param label class, or -1 if there is none
 * @param mask grey image of the classes of its pixels, or null
 * @param boxes the objects in it, or null if nobody marked them
 */
public record Truth(int label, @Nullable Path mask, @Nullable List<Box> boxes) {

  /** Nothing is known. */
  public static final Truth NONE = new Truth(-1, null, null);

  public Truth {
    boxes = boxes == null ? null : List.copyOf(boxes);
  }

  /**
   * A marked object.
   *
   * @param label class, from 1: class 0 is background
   * @param x1 left edge, in widths of the image; {@code y1}, {@code x2}, {@code y2} likewise
   */
  public record Box(int label, float x1, float y1, float x2, float y2) {

    /** Returns the area of the intersection over that of the union, 0 if both are empty. */
    public double iou(Box other) {
      double width = Math.min(x2, other.x2) - Math.max(x1, other.x1);
      double height = Math.min(y2, other.y2) - Math.max(y1, other.y1);
      double both = Math.max(0, width) * Math.max(0, height);
      double union = area() + other.area() - both;
      return union > 0 ? both / union : 0;
    }

    private double area() {
      return Math.max(0.0, x2 - x1) * Math.max(0.0, y2 - y1);
    }
  }
}
