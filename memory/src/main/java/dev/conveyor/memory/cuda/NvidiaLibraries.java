package dev.conveyor.memory.cuda;

import com.sun.jna.Function;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.ptr.IntByReference;
import java.util.List;

/**
 * Which libraries of NVIDIA this machine has, and their versions. Stateless.
 *
 * <p>Only asks what needs no device: a machine that has the libraries and no GPU answers as well.
 */
public final class NvidiaLibraries {

  private static final int MAJOR = 0;
  private static final int MINOR = 1;
  private static final int PATCH = 2;

  private NvidiaLibraries() {}

  /**
   * One library.
   *
   * @param name what people call it
   * @param file what programs are linked to
   * @param present whether it can be loaded
   * @param detail its version, or that it was not found
   */
  public record Found(String name, String file, boolean present, String detail) {}

  private record Wanted(String name, String file, String versionCall, Ask ask) {}

  /** How a library says its version. */
  private interface Ask {
    String version(Function call);
  }

  private static final List<Wanted> WANTED =
      List.of(
          new Wanted("driver", "libcuda.so.1", "cuDriverGetVersion", c -> cuda(c)),
          new Wanted("CUDA runtime", "libcudart.so.13", "cudaRuntimeGetVersion", c -> cuda(c)),
          new Wanted("cuBLAS", "libcublas.so.13", "cublasGetProperty", c -> properties(c)),
          new Wanted("cuDNN", "libcudnn.so.9", "cudnnGetVersion", c -> decimal(sizeOf(c))),
          new Wanted("cuFFT", "libcufft.so.12", "cufftGetProperty", c -> properties(c)),
          new Wanted("NVRTC", "libnvrtc.so.13", "nvrtcVersion", c -> pair(c)),
          new Wanted("nvJPEG", "libnvjpeg.so.13", "nvjpegGetProperty", c -> properties(c)),
          new Wanted(
              "TensorRT",
              "libnvinfer.so.10",
              "getInferLibVersion",
              c -> decimal(c.invokeInt(new Object[0]))),
          new Wanted(
              "TensorRT ONNX",
              "libnvonnxparser.so.10",
              "getNvOnnxParserVersion",
              c -> decimal(c.invokeInt(new Object[0]))));

  /** Looks for each, on the library path of the process. Never fails. */
  public static List<Found> find() {
    return WANTED.stream().map(NvidiaLibraries::find).toList();
  }

  @SuppressWarnings("resource") // Closing it would unload the library.
  private static Found find(Wanted wanted) {
    NativeLibrary library;
    try {
      library = NativeLibrary.getInstance(wanted.file);
    } catch (UnsatisfiedLinkError e) {
      return new Found(wanted.name, wanted.file, false, wanted.file + " was not found");
    }
    try {
      String version = wanted.ask.version(library.getFunction(wanted.versionCall));
      return new Found(wanted.name, wanted.file, true, version);
    } catch (UnsatisfiedLinkError e) {
      return new Found(
          wanted.name, wanted.file, true, wanted.file + " does not know " + wanted.versionCall);
    }
  }

  private static String cuda(Function call) {
    IntByReference version = new IntByReference();
    int status = call.invokeInt(new Object[] {version});
    return status == 0
        ? "%d.%d".formatted(version.getValue() / 1000, version.getValue() % 1000 / 10)
        : "does not tell its version (error " + status + ")";
  }

  private static String properties(Function call) {
    int[] parts = new int[3];
    for (int property : new int[] {MAJOR, MINOR, PATCH}) {
      IntByReference value = new IntByReference();
      int status = call.invokeInt(new Object[] {property, value});
      if (status != 0) {
        return "does not tell its version (error " + status + ")";
      }
      parts[property] = value.getValue();
    }
    return "%d.%d.%d".formatted(parts[MAJOR], parts[MINOR], parts[PATCH]);
  }

  private static String pair(Function call) {
    IntByReference major = new IntByReference();
    IntByReference minor = new IntByReference();
    int status = call.invokeInt(new Object[] {major, minor});
    return status == 0
        ? "%d.%d".formatted(major.getValue(), minor.getValue())
        : "does not tell its version (error " + status + ")";
  }

  private static long sizeOf(Function call) {
    return Native.SIZE_T_SIZE == Long.BYTES
        ? call.invokeLong(new Object[0])
        : call.invokeInt(new Object[0]);
  }

  /** Of five digits or more: the major version, two for the minor, two for the patch. */
  static String decimal(long version) {
    return "%d.%d.%d".formatted(version / 10_000, version / 100 % 100, version % 100);
  }
}
