package dev.conveyor.memory.cuda;

/** A call that the CUDA runtime refused, or an earlier operation that has failed on the device. */
public final class CudaException extends RuntimeException {

  private static final int OUT_OF_MEMORY = 2;
  private static final int DEVICES_UNAVAILABLE = 46;
  private static final int ECC_UNCORRECTABLE = 214;
  private static final int NVLINK_UNCORRECTABLE = 220;
  private static final int CONTAINED = 226;
  private static final int ILLEGAL_ADDRESS = 700;
  private static final int LAUNCH_TIMEOUT = 702;
  private static final int CONTEXT_IS_DESTROYED = 709;
  private static final int ASSERT = 710;
  private static final int HARDWARE_STACK_ERROR = 714;
  private static final int LAUNCH_FAILURE = 719;
  private static final int TENSOR_MEMORY_LEAK = 721;
  private static final int UNKNOWN = 999;

  /** Libraries beside the runtime number their errors in their own ways. */
  private static final int NO_CODE = -1;

  private final int code;

  public CudaException(String call, int code, String name) {
    super("%s: %s (%d)".formatted(call, name, code));
    this.code = code;
  }

  private CudaException(String message) {
    super(message);
    this.code = NO_CODE;
  }

  /** Describes an error of a library whose numbers are not those of {@code cudaError_t}. */
  static CudaException ofLibrary(String call, int status, String name) {
    return new CudaException("%s: %s (%d)".formatted(call, name, status));
  }

  /** Returns the number of the error, as in {@code cudaError_t}; negative if it is none of them. */
  public int code() {
    return code;
  }

  public boolean isOutOfMemory() {
    return code == OUT_OF_MEMORY;
  }

  /**
   * Returns whether the device is lost to this process: its documentation says of these errors that
   * every later call returns the same, until the process is started anew.
   */
  public boolean isSticky() {
    return code == DEVICES_UNAVAILABLE
        || code == ECC_UNCORRECTABLE
        || code == NVLINK_UNCORRECTABLE
        || code == CONTAINED
        || code == ILLEGAL_ADDRESS
        || code == LAUNCH_TIMEOUT
        || code == CONTEXT_IS_DESTROYED
        || code == ASSERT
        || (code >= HARDWARE_STACK_ERROR && code <= LAUNCH_FAILURE)
        || code == TENSOR_MEMORY_LEAK
        || code == UNKNOWN;
  }
}
