package dev.conveyor.memory.cuda.sim;

import dev.conveyor.memory.cuda.CudaException;

/**
 * A kernel that the simulated device knows and the host can check: what comes out of an item
 * follows from every word of it and from nothing else.
 *
 * <p>Thread-safe: no state.
 */
public final class TestKernel {

  private TestKernel() {}

  /**
   * Enqueues it.
   *
   * @param costNs how long it runs
   */
  public static void launch(
      long stream, int items, long in, long inItemBytes, long out, long outItemBytes, long costNs) {
    launch(stream, items, in, inItemBytes, out, outItemBytes, costNs, 0);
  }

  /**
   * As the other, in an execution context.
   *
   * @param ready where on the device the context says, in 64 bits, for how many items it was made
   *     ready: if they are not as many when the kernel begins, what comes out is wrong
   */
  public static void launch(
      long stream,
      int items,
      long in,
      long inItemBytes,
      long out,
      long outItemBytes,
      long costNs,
      long ready) {
    int status =
        CudaSimulator.cudaSimLaunch(
            stream, items, in, inItemBytes, out, outItemBytes, costNs, ready);
    if (status != 0) {
      throw new CudaException("cudaSimLaunch", status, "injected");
    }
  }

  /** Returns what it makes of the words of one item. */
  public static int[] expected(int[] in, int outWords) {
    int[] out = new int[outWords];
    for (int w = 0; w < outWords; w++) {
      int sum = 0;
      for (int i = w % in.length; i < in.length; i += outWords) {
        sum += in[i];
      }
      out[w] = Integer.rotateLeft(sum, 7) + w;
    }
    return out;
  }
}
