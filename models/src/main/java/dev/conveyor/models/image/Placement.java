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
   * or that stretches least. Of equals the smallest.
   */
  public static Size choose(Mode mode, List<Size> sizes, List<Size> images) {
    if (mode == Mode.PAD) {
      List<Size> holding =
          sizes.stream().filter(size -> images.stream().allMatch(i -> holds(size, i))).toList();
      if (!holding.isEmpty()) {
        return holding.stream().min(Comparator.comparingLong(Size::area)).orElseThrow();
      }
    }
    // The share of padding grows with the difference in aspect, so both are one comparison.
    return sizes.stream()
        .min(
            Comparator.comparingDouble((Size size) -> difference(size, images))
                .thenComparingLong(Size::area))
        .orElseThrow();
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
