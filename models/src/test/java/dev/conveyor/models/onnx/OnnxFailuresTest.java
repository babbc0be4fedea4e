package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OnnxFailuresTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "std::bad_alloc",
        "bfc_arena.cc:359 AllocateRawInternal Failed to allocate memory for requested buffer of"
            + " size 4096",
        "BFCArena::AllocateRawInternal Available memory of 0 is smaller than requested bytes of 64",
        "CUDA failure 2: out of memory ; GPU=0",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
        "CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0",
        "CUDNN failure 4003: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0"
      })
  void shouldNotBlameInputsForMemoryThatRanOut(String message) {
    assertThat(OnnxFailures.of(new RuntimeException(message)).kind()).isEqualTo(Kind.OUT_OF_MEMORY);
  }

  @Test
  void shouldTellWhatTheRuntimeSaidOfEverythingElse() {
    ExecutionException failure =
        OnnxFailures.of(new RuntimeException("Got invalid dimensions for input: in"));
    assertThat(failure.kind()).isEqualTo(Kind.RUN);
    assertThat(failure).hasMessage("Got invalid dimensions for input: in");
  }
}
