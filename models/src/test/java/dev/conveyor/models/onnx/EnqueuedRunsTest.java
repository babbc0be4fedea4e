package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.OnnxFiles;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.onnxruntime.IoBinding;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.SessionOptions;
import org.bytedeco.onnxruntime.Value;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnqueuedRunsTest {

  @TempDir Path directory;

  @Test
  void shouldSynchroniseNowAndThenSoThatWhatRunsLeaveIsGivenBack() {
    try (EnqueuedRuns runs = new EnqueuedRuns()) {
      for (int round = 0; round < 2; round++) {
        for (int i = 1; i < EnqueuedRuns.SYNCHRONISED_EVERY; i++) {
          assertThat(runs.next().GetConfigEntry(EnqueuedRuns.ASYNCHRONOUS)).isEqualTo("1");
        }
        assertThat(runs.next().GetConfigEntry(EnqueuedRuns.ASYNCHRONOUS)).isNull();
      }
    }
  }

  @Test
  void shouldShrinkTheArenaAfterEveryRun() {
    try (EnqueuedRuns runs = new EnqueuedRuns()) {
      runs.shrinkArena(1);
      for (int i = 0; i < EnqueuedRuns.SYNCHRONISED_EVERY; i++) {
        assertThat(runs.next().GetConfigEntry("memory.enable_memory_arena_shrinkage"))
            .isEqualTo("gpu:1");
      }
    }
  }

  @Test
  void shouldEndRunsThatAreCancelledAndNoOthers() {
    OnnxFiles.Value in = new OnnxFiles.Value("in", OnnxFiles.FLOAT, List.of(1));
    OnnxFiles.Value out = new OnnxFiles.Value("out", OnnxFiles.FLOAT, List.of(1));
    Path file =
        OnnxFiles.oneNode(directory.resolve("m.onnx"), "Identity", List.of(in), List.of(out));
    EnqueuedRuns runs = new EnqueuedRuns();
    EnqueuedRuns others = new EnqueuedRuns();
    try (SessionOptions options = new SessionOptions();
        BytePointer path = new BytePointer(file.toString());
        Session session = new Session(OnnxBackend.environment(), path, options);
        MemoryInfo memory = OnnxValues.cpuMemory();
        BytePointer word = new BytePointer(Float.BYTES);
        Value value = OnnxValues.over(memory, DataType.FP32, new long[] {1}, word);
        IoBinding binding = new IoBinding(session)) {
      binding.BindInput("in", value);
      binding.BindOutput("out", memory.asOrtMemoryInfo());
      session.Run(runs.next(), binding);

      runs.cancel();

      session.Run(others.next(), binding);
      for (int i = 0; i < EnqueuedRuns.SYNCHRONISED_EVERY; i++) {
        RunOptions cancelled = runs.next();
        assertThatThrownBy(() -> session.Run(cancelled, binding))
            .isInstanceOf(RuntimeException.class)
            .hasMessageContaining("terminate");
      }
    }
    others.close();
    runs.close();
    runs.cancel(); // Whoever watches may come late.
  }
}
