package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.Value;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** What of the CUDA provider can be told without a GPU. */
class CudaProviderTest {

  @Test
  void shouldKeepTheArenaWithinItsShare() {
    assertThat(CudaProvider.settings(2, 5000, Map.of()))
        .containsEntry("device_id", "2")
        .containsEntry("gpu_mem_limit", "5000")
        .containsEntry("arena_extend_strategy", "kSameAsRequested")
        .containsEntry("use_tf32", "1");
    assertThat(CudaProvider.settings(0, 5000, Map.of("gpu_mem_limit", "3000")))
        .containsEntry("gpu_mem_limit", "3000");
    assertThat(CudaProvider.settings(0, 5000, Map.of("gpu_mem_limit", "9000")))
        .containsEntry("gpu_mem_limit", "5000");
  }

  @Test
  void shouldTakeThePrecisionOfMatricesFromTheParameters() {
    assertThat(CudaProvider.settings(0, 1, Map.of("use_tf32", "0", "prefer_nhwc", "1")))
        .containsEntry("use_tf32", "0")
        .containsEntry("prefer_nhwc", "1");
  }

  @Test
  void shouldTakeTheNumbersOfTritonsFiles() {
    assertThat(
            CudaProvider.settings(
                0, 1, Map.of("arena_extend_strategy", "0", "cudnn_conv_algo_search", "2")))
        .containsEntry("arena_extend_strategy", "kNextPowerOfTwo")
        .containsEntry("cudnn_conv_algo_search", "DEFAULT");
  }

  @Test
  void shouldRefuseWhatTheProviderDoesNotKnow() {
    assertThatThrownBy(() -> CudaProvider.settings(0, 1, Map.of("use_tf32", "yes")))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("parameters.use_tf32")
        .hasMessageContaining("[0, 1]")
        .hasMessageContaining("\"yes\"");
    assertThatThrownBy(() -> CudaProvider.settings(0, 1, Map.of("gpu_mem_limit", "-1")))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("parameters.gpu_mem_limit");
  }

  @Test
  void shouldBindAddressesOfTheDeviceAsTheyAre() {
    TensorSpec spec = new TensorSpec("in", DataType.FP32, Shape.of(-1, 3, 4));
    long address = 0x600000001200L;
    try (MemoryInfo memory = DeviceBinding.gpuMemory(1);
        Value value = DeviceBinding.over(memory, spec, 5, address)) {
      assertThat(memory.GetDeviceId()).isEqualTo(1);
      assertThat(value.GetTensorMutableRawData().address()).isEqualTo(address);
      assertThat(value.GetTensorTypeAndShapeInfo().GetElementCount()).isEqualTo(5 * 3 * 4);
    }
  }

  @Test
  void shouldSayInOneLineWhyItCannotBeUsed() {
    Assumptions.assumeFalse(
        Files.exists(Path.of("/proc/driver/nvidia/version")), "this machine has a driver");

    String reason = new OnnxGpuBackend().unavailable();

    assertThat(reason).isNotEmpty().doesNotContain("\n", "onnxruntime_providers");
  }

  @Test
  void shouldTakeOnnxFilesThatAskForNoOtherProvider() {
    OnnxGpuBackend backend = new OnnxGpuBackend();

    assertThat(backend.takes(Path.of("model.onnx"), ModelConfig.empty("m"))).isTrue();
    assertThat(backend.takes(Path.of("model.plan"), ModelConfig.empty("m"))).isFalse();
  }
}
