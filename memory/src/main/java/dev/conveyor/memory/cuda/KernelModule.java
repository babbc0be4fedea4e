package dev.conveyor.memory.cuda;

import static org.bytedeco.cuda.global.cudart.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * Machine code on one device, and one kernel of it, which takes one structure.
 *
 * <p>Not thread-safe: owned by the thread that launches, which has set the device. Closed when
 * nothing of it runs any more.
 */
public final class KernelModule implements AutoCloseable {

  private final Handle.Code module = new Handle.Code();
  private final Handle.Function function = new Handle.Function();
  private final CudaArguments.StreamArgument stream = new CudaArguments.StreamArgument();
  private final BytePointer argument;
  private final ByteBuffer argumentBytes;
  private final PointerPointer<BytePointer> parameters;
  private boolean open = true;

  /**
   * Loads it onto the thread's device.
   *
   * @param code from {@link KernelCompiler}
   * @param kernel name of the kernel
   * @param argumentBytes size of its structure
   * @throws CudaException if the driver refuses
   */
  public KernelModule(byte[] code, String kernel, int argumentBytes) {
    try (BytePointer image = new BytePointer(code)) {
      check("cuModuleLoadData", cuModuleLoadData(module, image));
    }
    int status = cuModuleGetFunction(function, module, kernel);
    if (status != 0) {
      int unused = cuModuleUnload(module);
    }
    check("cuModuleGetFunction", status);
    this.argument = new BytePointer(argumentBytes);
    Pointer.memset(argument, 0, argumentBytes);
    this.argumentBytes = argument.asByteBuffer().order(ByteOrder.nativeOrder());
    this.parameters = new PointerPointer<>(1);
    parameters.put(0, argument);
  }

  /** Returns the structure of the next launch, to be filled. */
  public ByteBuffer argument() {
    return argumentBytes;
  }

  /**
   * Enqueues the kernel with the structure as it is now.
   *
   * @param gridX blocks in a row
   * @param gridY rows of blocks
   * @param blockX threads of a block in a row
   * @param blockY rows of threads
   * @throws CudaException if the driver refuses
   */
  public void launch(int gridX, int gridY, int blockX, int blockY, long onStream) {
    launch(gridX, gridY, 1, blockX, blockY, onStream);
  }

  /**
   * The same, with several layers of blocks.
   *
   * @param gridZ layers, at most 65,535
   */
  public void launch(int gridX, int gridY, int gridZ, int blockX, int blockY, long onStream) {
    PointerPointer<?> none = null;
    check(
        "cuLaunchKernel",
        cuLaunchKernel(
            function,
            gridX,
            gridY,
            gridZ,
            blockX,
            blockY,
            1,
            0,
            stream.at(onStream),
            parameters,
            none));
  }

  @Override
  public void close() {
    if (open) {
      open = false;
      parameters.close();
      argument.close();
      check("cuModuleUnload", cuModuleUnload(module));
    }
  }

  /** Errors of the driver have the numbers of the runtime's. */
  private static void check(String call, int status) {
    if (status != 0) {
      BytePointer name = cudaGetErrorName(status);
      throw new CudaException(call, status, name == null ? "unknown error" : name.getString());
    }
  }

  /** Handles of the driver: addresses of nothing that is ours. */
  private static final class Handle {
    private Handle() {}

    private static final class Code extends CUmod_st {}

    private static final class Function extends CUfunc_st {}
  }
}
