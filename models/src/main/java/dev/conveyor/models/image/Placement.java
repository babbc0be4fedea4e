package dev.conveyor.models.image;

import dev.conveyor.models.config.Preprocessing.Mode;
import dev.conveyor.models.config.Preprocessing.Size;
import java.util.Comparator;
import java.util.List;

/**
 * Where an image of some size lies in the input of a model.
 *
 * @param source size of the image
 * @param frame what part of the input shows it
 */
public record Placement(Size source, Letterbox frame) {

  /** Places an image of some size into an input of another. */
  public static Placement of(Mode mode, Size input, Size image) {
    int width = image.width();
    int height = image.height();
    Letterbox frame =
        switch (mode) {
          case RESIZE -> new Letterbox(0, 0, input.width(), input.height());
          case LETTERBOX -> Letterbox.fit(width, height, input.width(), input.height());
          case PAD -> {
            if (holds(input, image)) {
              yield new Letterbox(0, 0, width, height);
            }
            Letterbox fit = Letterbox.fit(width, height, input.width(), input.height());
            yield new Letterbox(0, 0, fit.width(), fit.height());
          }
        };
    return new Placement(image, frame);
  }

  /**
   * Returns the size that wastes least for images that share an input: to pad, the one with the
   * fewest pixels that holds them all; else the one of whose pixels the smallest share is padding,
   * or that stretches least. Of equals the smallest that holds them all, or else the largest, so
   * that no image loses more of its pixels than it must.
   */
  public static Size choose(Mode mode, List<Size> sizes, List<Size> images) {
    Comparator<Size> smallestHolding =
        Comparator.comparingLong(size -> holdsAll(size, images) ? size.area() : Long.MAX_VALUE);
    Comparator<Size> order = smallestHolding.thenComparing(Size::area, Comparator.reverseOrder());
    if (mode != Mode.PAD || sizes.stream().noneMatch(size -> holdsAll(size, images))) {
      // The share of padding grows with the difference in aspect, so both are one comparison.
      order =
          Comparator.comparingDouble((Size size) -> difference(size, images)).thenComparing(order);
    }
    return sizes.stream().min(order).orElseThrow();
  }

  private static boolean holdsAll(Size size, List<Size> images) {
    return images.stream().allMatch(image -> holds(size, image));
  }

  private static boolean holds(Size size, Size image) {
    return size.width() >= image.width() && size.height() >= image.height();
  }

  private static double difference(Size size, List<Size> images) {
    return images.stream().mapToDouble(image -> Math.abs(aspect(size) - aspect(image))).sum();
  }

  private static double aspect(Size size) {
    return Math.log((double) size.width() / size.height());
  }

  /** Returns the x of the source for one of the input, in pixels of each. */
  public float sourceX(float x) {
    return (x - frame.x()) * source.width() / frame.width();
  }

  /** Returns the y of the source for one of the input, in pixels of each. */
  public float sourceY(float y) {
    return (y - frame.y()) * source.height() / frame.height();
  }
}
