package dev.conveyor.models.image;

/**
 * Where an image lies in a frame of another aspect ratio: as large as fits, in the middle. Where
 * the padding is odd, the right and the lower side get the pixel more.
 *
 * @param x left edge of the image in the frame
 * @param y upper edge of the image in the frame
 * @param width of the image after fitting
 * @param height of the image after fitting
 */
public record Letterbox(int x, int y, int width, int height) {

  /** Fits an image into a frame; however flat it is, a line of pixels of it remains. */
  public static Letterbox fit(int imageWidth, int imageHeight, int frameWidth, int frameHeight) {
    double scale = Math.min(frameWidth / (double) imageWidth, frameHeight / (double) imageHeight);
    int width = scaled(imageWidth, scale, frameWidth);
    int height = scaled(imageHeight, scale, frameHeight);
    return new Letterbox((frameWidth - width) / 2, (frameHeight - height) / 2, width, height);
  }

  private static int scaled(int size, double scale, int limit) {
    return (int) Math.max(1, Math.min(limit, Math.round(size * scale)));
  }
}
