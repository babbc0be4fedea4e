package dev.conveyor.verticles.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Writes figures to files. Stateless. */
public final class Plot {

  private Plot() {}

  /**
   * Writes {@code figure} in the format that the file's name ends with.
   *
   * @throws IllegalArgumentException if that is neither .svg nor .png
   */
  public static void write(Figure figure, Path file) throws IOException {
    String format = requireFormat(file);
    int width = FigurePainter.width(figure);
    int height = FigurePainter.height(figure);
    if (format.equals("svg")) {
      SvgCanvas canvas = new SvgCanvas(width, height);
      FigurePainter.paint(canvas, figure);
      Files.writeString(file, canvas.document());
    } else {
      System.setProperty("java.awt.headless", "true");
      PngCanvas canvas = new PngCanvas(width, height);
      FigurePainter.paint(canvas, figure);
      canvas.write(file);
    }
  }

  /**
   * Returns {@code svg} or {@code png}, so that a wrong name is told before anything is measured.
   */
  public static String requireFormat(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".svg") || name.endsWith(".png")) {
      return name.substring(name.length() - 3);
    }
    throw new IllegalArgumentException("a plot ends with .svg or .png, was " + file);
  }
}
