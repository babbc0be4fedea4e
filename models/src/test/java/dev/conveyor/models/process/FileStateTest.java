package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.StringStringEntryProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FileStateTest {

  @TempDir private Path dir;
  private Path model;
  private Path weights;

  @BeforeEach
  void writeModel() throws IOException {
    TensorProto outside =
        TensorProto.newBuilder()
            .setDataLocation(TensorProto.DataLocation.EXTERNAL)
            .addExternalData(
                StringStringEntryProto.newBuilder().setKey("location").setValue("weights.bin"))
            .build();
    ModelProto proto =
        ModelProto.newBuilder().setGraph(GraphProto.newBuilder().addInitializer(outside)).build();
    model = Files.write(dir.resolve("model.onnx"), proto.toByteArray());
    weights = Files.write(dir.resolve("weights.bin"), new byte[8]);
  }

  @Test
  void shouldRefuseOtherWeightsBesideTheSameModel() throws IOException {
    FileState state = FileState.of(model);
    Files.writeString(dir.resolve("labels.txt"), "not the model's");
    assertThatCode(state::requireSame).doesNotThrowAnyException();

    Path other = Files.write(dir.resolve("other"), new byte[8]);
    Files.move(other, weights, StandardCopyOption.REPLACE_EXISTING);
    assertThatThrownBy(state::requireSame)
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining(weights + ": the file changed since the model was loaded or tried");
  }

  @Test
  void shouldRefuseAModelWhoseWeightsAreGone() throws IOException {
    FileState state = FileState.of(model);
    Files.delete(weights);
    assertThatThrownBy(state::requireSame).hasMessageContaining(weights.toString());
  }

  @Test
  void shouldTakeNoteOfFilesThatAreNoOnnxModels() throws IOException {
    Path plan = Files.writeString(dir.resolve("model.plan"), "an engine");
    FileState state = FileState.of(plan);
    assertThatCode(state::requireSame).doesNotThrowAnyException();
    Files.writeString(plan, "another engine");
    assertThatThrownBy(state::requireSame).hasMessageContaining(plan.toString());
    Files.delete(plan);
    assertThatThrownBy(() -> FileState.of(plan)).isInstanceOf(ModelLoadException.class);
  }
}
