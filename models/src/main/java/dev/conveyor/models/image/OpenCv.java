package dev.conveyor.models.image;

import dev.conveyor.memory.Natives;
import dev.conveyor.models.backend.ModelLoadException;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;
import org.bytedeco.opencv.global.opencv_imgproc;

/**
 * OpenCV's native code: core, imgproc and imgcodecs, and nothing else of it. Thread-safe.
 *
 * <p>Loading takes about half a second, and a second or two the first time, when the libraries are
 * unpacked (120 MB, most of it the BLAS that core is linked to). {@link ImagePreprocessor} does it;
 * a server that is in a hurry does it before, beside other things.
 *
 * <p>Its decoders write a line to standard error for each image they refuse, and take no say in it.
 */
public final class OpenCv {

  static {
    Natives.ready();
  }

  private OpenCv() {}

  /**
   * Loads it, unless that was done before.
   *
   * @throws ModelLoadException if this machine cannot load it
   */
  public static synchronized void load() {
    try {
      Loader.load(opencv_core.class);
      Loader.load(opencv_imgproc.class);
      Loader.load(opencv_imgcodecs.class);
    } catch (LinkageError e) {
      throw new ModelLoadException(
          "images cannot be preprocessed: OpenCV does not load: " + e.getMessage(), e);
    }
    // Each caller is one of several threads already.
    opencv_core.setNumThreads(1);
  }
}
