package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.EngineSite;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class EngineTensorsTest {

  private static final TensorSpec IN = spec("in", DataType.FP32, -1, 4);
  private static final TensorSpec OTHER = spec("other", DataType.INT64, 3);
  private static final TensorSpec OUT = spec("out", DataType.FP32, -1, 2);
  private static final Declared MODEL = new Declared(List.of(IN, OTHER), List.of(OUT));

  @Test
  void shouldTakeTheSameTensorsInAnyOrder() {
    assertThat(EngineTensors.difference(MODEL, engine(List.of(OTHER, IN), OUT))).isNull();
  }

  @Test
  void shouldRefuseAnotherType() {
    assertThat(
            EngineTensors.difference(
                new Declared(List.of(spec("in", DataType.FP64, -1, 4)), List.of(OUT)),
                engine(List.of(IN), OUT)))
        .isEqualTo("'in' is FP32[-1,4] in the engine and FP64[-1,4] in the model");
  }

  @Test
  void shouldRefuseAnotherBatchDimensionAndTakeWhatOnlyTheEngineKnows() {
    Declared open = new Declared(List.of(), List.of(spec("out", DataType.FP32, -1, -1)));
    assertThat(EngineTensors.difference(open, engine(List.of(), OUT))).isNull();
    assertThat(EngineTensors.difference(open, engine(List.of(), spec("out", DataType.FP32, 1, 2))))
        .contains("'out'");
    assertThat(EngineTensors.difference(open, engine(List.of(), spec("out", DataType.FP32, -1))))
        .contains("'out'");
  }

  @Test
  void shouldRefuseMissingTensorsAndOthers() {
    assertThat(EngineTensors.difference(MODEL, engine(List.of(IN), OUT)))
        .isEqualTo("the engine has no 'other'");
    assertThat(
            EngineTensors.difference(
                new Declared(List.of(IN), List.of(OUT)), engine(List.of(IN, OTHER), OUT)))
        .isEqualTo("the engine has 2 tensors, the model 1");
  }

  /** So that another backend is asked, after minutes of building. */
  @Test
  void shouldRefuseEnginesThatNoArrayHolds() {
    Path file = Path.of("m.onnx");
    assertThat(EngineBuilder.length(file, 1L << 30)).isEqualTo(1 << 30);
    assertThatThrownBy(() -> EngineBuilder.length(file, 1L << 31))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("2147483648 bytes");
  }

  private static TensorSpec spec(String name, DataType type, long... dims) {
    return new TensorSpec(name, type, Shape.of(dims));
  }

  private static DeviceModel engine(List<TensorSpec> inputs, TensorSpec output) {
    return new DeviceModel() {
      @Override
      public List<TensorSpec> inputs() {
        return inputs;
      }

      @Override
      public List<TensorSpec> outputs() {
        return List.of(output);
      }

      @Override
      public long reservedBytes() {
        return 0;
      }

      @Override
      public DeviceEngine newEngine(EngineSite site) {
        throw new UnsupportedOperationException();
      }

      @Override
      public void close() {}
    };
  }
}
