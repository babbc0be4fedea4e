package dev.conveyor.models.image;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import dev.conveyor.models.config.Preprocessing.Mode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.opencv_core.Mat;
import org.bytedeco.opencv.opencv_core.Scalar;

/**
 * A program that prints by how many MiB it grew while it processed images, and by how many when it
 * leaked a matrix for each of them on purpose. It runs in a JVM where JavaCPP does not free what
 * the garbage collector finds, so that forgetting to close something shows.
 */
final class NativeMemoryProbe {

  static final int ROUNDS = 125;

  private NativeMemoryProbe() {}

  public static void main(String[] args) {
    byte[] jpeg = TestImages.jpeg(TestImages.gradient(640, 480));
    byte[] corrupt = TestImages.png(TestImages.gradient(640, 480));
    corrupt[corrupt.length / 2] ^= 0x55;
    List<byte[]> images =
        List.of(
            jpeg, corrupt, TestImages.cut(jpeg, 5000), TestImages.png(TestImages.solid(9, 9, 1)));
    List<ImagePreprocessor> preprocessors =
        List.of(preprocessor(Mode.RESIZE), preprocessor(Mode.LETTERBOX));
    processAll(preprocessors, images, 20);

    long before = Pointer.physicalBytes();
    processAll(preprocessors, images, ROUNDS);
    long after = Pointer.physicalBytes();
    List<Mat> leaked = leak(ROUNDS);
    long leaky = Pointer.physicalBytes();

    System.out.printf(
        "processing %d leaking %d %s%n",
        (after - before) >> 20, (leaky - after) >> 20, leaked.size());
  }

  private static void processAll(
      List<ImagePreprocessor> preprocessors, List<byte[]> images, int rounds) {
    for (int i = 0; i < rounds; i++) {
      for (byte[] image : images) {
        ImagePreprocessor preprocessor = preprocessors.get(i % preprocessors.size());
        try {
          ByteBuffer target = ByteBuffer.allocate(preprocessor.outputBytesPerImage());
          preprocessor.process(ByteBuffer.wrap(image), target, 0);
        } catch (InferenceException e) {
          // Half of the images are bad.
        }
      }
    }
  }

  private static List<Mat> leak(int count) {
    List<Mat> leaked = new ArrayList<>();
    try (Scalar one = Scalar.all(1)) {
      for (int i = 0; i < count; i++) {
        leaked.add(new Mat(480, 640, opencv_core.CV_8UC3, one));
      }
    }
    return leaked;
  }

  private static ImagePreprocessor preprocessor(Mode mode) {
    Preprocessing config =
        new Preprocessing(
            "image", mode, 96, 96, Color.RGB, Layout.NCHW, DataType.FP32, List.of(), List.of(), 0);
    return new ImagePreprocessor(config, 1_000_000);
  }
}
