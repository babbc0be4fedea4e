package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.image.ImagePreprocessor;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.data.Sample;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Mean over the classes of intersection over union of pixels, over all items together.
 *
 * <p>An output of one channel is the probability of class 1 and a mask is then white where it is;
 * of several, a score per class, and a mask's grey is the class.
 */
final class MaskOverlap implements Accuracy {

  private static final long MAX_PIXELS = 50_000_000;
  private static final int WHITE = 128;

  private final Map<Path, byte[]> masks = new HashMap<>();
  private long[] both = new long[2];
  private long[] either = new long[2];

  @Override
  public void add(Sample sample, List<Tensor> outputs) {
    Path mask = sample.truth().mask();
    if (mask == null) {
      return;
    }
    Tensor output = outputs.get(0);
    if (output.shape().rank() != 4) {
      throw new OptimizeException(
          "masks are known, but output '%s' has shape %s; [N,C,H,W] is expected"
              .formatted(output.name(), output.shape()));
    }
    int channels = (int) output.shape().dim(1);
    int height = (int) output.shape().dim(2);
    int width = (int) output.shape().dim(3);
    int classes = Math.max(2, channels);
    if (both.length != classes) {
      both = new long[classes];
      either = new long[classes];
    }
    byte[] truth = masks.computeIfAbsent(mask, m -> read(m, height, width));
    float[] scores = Agreement.Values.of(output);
    int pixels = height * width;
    for (int p = 0; p < pixels; p++) {
      int found = channels == 1 ? (scores[p] >= 0.5f ? 1 : 0) : best(scores, p, pixels, channels);
      int real = channels == 1 ? ((truth[p] & 0xff) >= WHITE ? 1 : 0) : truth[p] & 0xff;
      count(found, real);
    }
  }

  private void count(int found, int real) {
    either[found]++;
    if (found == real) {
      both[found]++;
    } else if (real < either.length) {
      either[real]++;
    }
  }

  private static int best(float[] scores, int pixel, int pixels, int channels) {
    int best = 0;
    for (int c = 1; c < channels; c++) {
      if (scores[c * pixels + pixel] > scores[best * pixels + pixel]) {
        best = c;
      }
    }
    return best;
  }

  private static byte[] read(Path file, int height, int width) {
    Preprocessing grey =
        new Preprocessing(
            "mask",
            Preprocessing.Mode.RESIZE,
            height,
            width,
            Preprocessing.Color.GRAY,
            Preprocessing.Layout.NCHW,
            DataType.UINT8,
            List.of(),
            List.of(),
            0);
    try {
      ByteBuffer pixels = ByteBuffer.allocate(height * width);
      new ImagePreprocessor(grey, MAX_PIXELS)
          .process(ByteBuffer.wrap(Files.readAllBytes(file)), pixels, 0);
      return pixels.array();
    } catch (IOException | RuntimeException e) {
      throw new OptimizeException(file + ": the mask cannot be read: " + e.getMessage(), e);
    }
  }

  @Override
  public String metric() {
    return "mean IoU";
  }

  @Override
  public double percent() {
    double sum = 0;
    int classes = 0;
    for (int c = 0; c < both.length; c++) {
      Double iou = iou(c);
      if (iou != null) {
        sum += iou;
        classes++;
      }
    }
    return sum / classes;
  }

  @Override
  public Map<String, Double> details() {
    Double defect = iou(1);
    return defect == null ? Map.of() : Map.of("IoU of class 1", defect);
  }

  private @Nullable Double iou(int label) {
    return either[label] == 0 ? null : 100.0 * both[label] / either[label];
  }
}
