package dev.conveyor.memory.cuda;

import static org.bytedeco.cuda.global.nvrtc.*;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * Compiles kernels for a device with NVRTC, which belongs to a CUDA toolkit and not to the build.
 * Thread-safe: no state.
 */
public final class KernelCompiler {

  private static final String LIBRARY = "libnvrtc.so.13";

  /** What it knows about devices; with the minor number of its version. */
  private static final String OPENED = "libnvrtc-builtins.so.*";

  private KernelCompiler() {}

  /** Returns why it cannot be used on this machine, in one line; empty if it can. Loads natives. */
  public static String unavailable() {
    String missing = CudaLibraries.loadTool(LIBRARY, OPENED);
    if (!missing.isEmpty()) {
      return "no NVRTC: " + missing;
    }
    try {
      String unused = Loader.load(org.bytedeco.cuda.global.nvrtc.class);
      return "";
    } catch (LinkageError e) {
      return "NVRTC cannot be used: " + e.getMessage();
    }
  }

  /**
   * Returns machine code. Products are rounded before they are added to, as on a CPU. Takes a
   * second or so.
   *
   * @param computeCapability 10 * major + minor
   * @throws CudaException if the compiler refuses; the message has what it says
   */
  public static byte[] compile(String name, String source, int computeCapability) {
    List<String> options = List.of("--gpu-architecture=sm_" + computeCapability, "--fmad=false");
    try (Program program = new Program();
        BytePointer text = new BytePointer(source, StandardCharsets.UTF_8);
        BytePointer file = new BytePointer(name, StandardCharsets.UTF_8);
        PointerPointer<BytePointer> arguments =
            new PointerPointer<>(options.toArray(new String[0]));
        SizeTPointer bytes = new SizeTPointer(1)) {
      PointerPointer<BytePointer> none = null;
      check("nvrtcCreateProgram", nvrtcCreateProgram(program, text, file, 0, none, none), "");
      try {
        int status = nvrtcCompileProgram(program, options.size(), arguments);
        check("nvrtcCompileProgram", status, status == 0 ? "" : log(program));
        check("nvrtcGetCUBINSize", nvrtcGetCUBINSize(program, bytes), "");
        byte[] code = new byte[Math.toIntExact(bytes.get())];
        check("nvrtcGetCUBIN", nvrtcGetCUBIN(program, code), "");
        return code;
      } finally {
        int unused = nvrtcDestroyProgram(program);
      }
    }
  }

  private static String log(Program program) {
    try (SizeTPointer bytes = new SizeTPointer(1)) {
      if (nvrtcGetProgramLogSize(program, bytes) != 0) {
        return "";
      }
      byte[] log = new byte[Math.toIntExact(bytes.get())];
      return nvrtcGetProgramLog(program, log) == 0
          ? ": " + new String(log, 0, Math.max(0, log.length - 1), StandardCharsets.UTF_8).strip()
          : "";
    }
  }

  private static void check(String call, int status, String more) {
    if (status != 0) {
      throw CudaException.ofLibrary(call, status, nvrtcGetErrorString(status).getString() + more);
    }
  }

  /** A handle that the library writes, which is no memory of ours. */
  private static final class Program extends _nvrtcProgram {}
}
