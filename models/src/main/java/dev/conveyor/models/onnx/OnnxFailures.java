package dev.conveyor.models.onnx;

import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import java.util.List;
import java.util.Locale;

/**
 * Tells what an exception of ONNX Runtime is about: the binding has one class for all, so only the
 * text says it. Stateless.
 */
final class OnnxFailures {

  /**
   * Of its allocators, the arena at its limit, the CUDA runtime, cuBLAS and cuDNN, in lower case.
   */
  private static final List<String> OUT_OF_MEMORY =
      List.of(
          "bad_alloc",
          "failed to allocate memory",
          "smaller than requested bytes",
          "out of memory",
          "status_alloc_failed",
          "allocation_failed");

  private OnnxFailures() {}

  /** Returns what to throw for a run that has failed. */
  static ExecutionException of(RuntimeException e) {
    String message = String.valueOf(e.getMessage());
    String text = message.toLowerCase(Locale.ROOT);
    boolean outOfMemory = OUT_OF_MEMORY.stream().anyMatch(text::contains);
    return new ExecutionException(outOfMemory ? Kind.OUT_OF_MEMORY : Kind.RUN, message);
  }
}
