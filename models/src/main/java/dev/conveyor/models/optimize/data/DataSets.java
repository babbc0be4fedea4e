package dev.conveyor.models.optimize.data;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.optimize.OptimizeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Opens directories of data. Stateless. */
public final class DataSets {

  private DataSets() {}

  /**
   * Opens a directory of images, which the model's preprocessing turns into its input, or of {@code
   * .npy} files.
   *
   * @param inputs of the model
   * @param labels names of the classes, in order; may be empty
   * @throws OptimizeException if there is nothing in it or it does not suit the model
   */
  public static DataSet open(
      Path directory,
      List<TensorSpec> inputs,
      List<Preprocessing> preprocessing,
      List<String> labels) {
    requireDirectory(directory);
    List<Path> files = files(directory);
    List<Path> images = files.stream().filter(DataSets::isImage).toList();
    List<Path> arrays = files.stream().filter(f -> name(f).endsWith(".npy")).toList();
    if (images.isEmpty() && arrays.isEmpty()) {
      throw new OptimizeException(
          directory + ": no data: images (.jpg, .png) or .npy files are expected");
    }
    return images.isEmpty()
        ? NpyData.open(directory, inputs)
        : ImageData.open(directory, images, inputs, preprocessing, labels);
  }

  /** Returns the items of a data set at some indices. */
  public static DataSet subset(DataSet all, int... indices) {
    int[] chosen = indices.clone();
    return new DataSet() {
      @Override
      public int size() {
        return chosen.length;
      }

      @Override
      public Sample sample(int index) {
        return all.sample(chosen[index]);
      }
    };
  }

  /** Returns {@code count} items spread evenly over a data set, or all if there are fewer. */
  public static DataSet spread(DataSet all, int count) {
    int size = all.size();
    return count >= size
        ? all
        : subset(
            all, IntStream.range(0, count).map(i -> (int) ((long) i * size / count)).toArray());
  }

  /**
   * Data for calibration and other data for evaluation.
   *
   * @param shared whether there is too little, so that both are the same
   */
  public record Split(DataSet calibration, DataSet evaluation, boolean shared) {}

  /** Takes {@code count} items for calibration, spread evenly, and the rest for evaluation. */
  public static Split split(DataSet all, int count) {
    int size = all.size();
    if (size < 2 * count) {
      return new Split(spread(all, count), all, true);
    }
    boolean[] taken = new boolean[size];
    // Odd steps within, so that data in turns of classes does not give one class only.
    for (int i = 0; i < count; i++) {
      int at = (int) ((long) i * size / count + i % (size / count));
      taken[Math.min(at, size - 1)] = true;
    }
    int[] calibration = IntStream.range(0, size).filter(i -> taken[i]).toArray();
    int[] evaluation = IntStream.range(0, size).filter(i -> !taken[i]).toArray();
    return new Split(subset(all, calibration), subset(all, evaluation), false);
  }

  static void requireDirectory(Path directory) {
    if (!Files.isDirectory(directory)) {
      throw new OptimizeException(directory + ": no such directory; it should hold the data");
    }
  }

  /** Returns the files that may be data, in the order of their names. */
  static List<Path> files(Path directory) {
    List<Path> files = new ArrayList<>();
    try (Stream<Path> walk = Files.walk(directory, 2)) {
      walk.filter(Files::isRegularFile)
          .filter(f -> !name(f).startsWith(".") && !directory.relativize(f).startsWith("masks"))
          .sorted()
          .forEach(files::add);
    } catch (IOException e) {
      throw new OptimizeException(directory + ": cannot be read: " + e, e);
    }
    return files;
  }

  private static boolean isImage(Path file) {
    String name = name(file);
    return name.endsWith(".jpg") || name.endsWith(".jpeg") || name.endsWith(".png");
  }

  private static String name(Path file) {
    return String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
  }
}
