package dev.conveyor.models.optimize.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.TinyModels;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class OnnxFileTest {

  @TempDir private Path dir;

  @Test
  void shouldReadWhatItWroteAndLeaveNothingElse() throws IOException {
    ModelProto model = TinyModels.classifier().model();
    Path file = dir.resolve("2").resolve("model.onnx");

    OnnxFile.write(file, model);

    assertThat(OnnxFile.read(file)).isEqualTo(model);
    try (Stream<Path> files = Files.list(dir.resolve("2"))) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void shouldLeaveNothingWhenItCannotWrite() throws IOException {
    Path occupied = Files.createDirectory(dir.resolve("model.onnx"));
    Files.createFile(occupied.resolve("something"));

    assertThatThrownBy(() -> OnnxFile.write(occupied, TinyModels.classifier().model()))
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("cannot be written");

    try (Stream<Path> files = Files.list(dir)) {
      assertThat(files).containsExactly(occupied);
    }
  }

  @Test
  void shouldRefuseWhatIsNoModel() throws IOException {
    Path text = Files.writeString(dir.resolve("notes.onnx"), "these are notes, not a model");
    Path empty = Files.createFile(dir.resolve("empty.onnx"));

    assertThatThrownBy(() -> OnnxFile.read(text))
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("notes.onnx: not an ONNX model");
    assertThatThrownBy(() -> OnnxFile.read(empty)).hasMessageContaining("not an ONNX model");
    assertThatThrownBy(() -> OnnxFile.read(dir.resolve("none.onnx")))
        .hasMessageContaining("cannot be read");
  }

  @Test
  void shouldRefuseModelsOverTwoGigabytes() throws IOException {
    Path large = dir.resolve("large.onnx");
    try (RandomAccessFile sparse = new RandomAccessFile(large.toFile(), "rw")) {
      sparse.setLength(Integer.MAX_VALUE + 1L);
    }

    assertThatThrownBy(() -> OnnxFile.read(large))
        .hasMessageContaining("2,147,483,648 bytes")
        .hasMessageContaining("over 2 GB");
  }

  @Test
  void shouldWriteWhatOthersMayRead() throws IOException {
    Path file = dir.resolve("model.onnx");

    OnnxFile.write(file, TinyModels.classifier().model());

    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-r--r--");
  }

  @Test
  void shouldRemoveWhatAWriterThatDiedLeft() throws IOException {
    Path file = dir.resolve("model.onnx");
    Path dead = Files.createFile(dir.resolve(".model.onnx-17.conveyor-part"));
    Files.setLastModifiedTime(dead, FileTime.from(Instant.EPOCH));

    OnnxFile.write(file, TinyModels.classifier().model());

    assertThat(dir).isDirectoryContaining(file::equals);
    assertThat(dead).doesNotExist();
  }

  @Test
  void shouldRefuseExternalData() throws IOException {
    ModelProto.Builder model = TinyModels.classifier().model().toBuilder();
    model
        .getGraphBuilder()
        .getInitializerBuilder(0)
        .setDataLocation(TensorProto.DataLocation.EXTERNAL);
    Path file = Files.write(dir.resolve("model.onnx"), model.build().toByteArray());

    assertThatThrownBy(() -> OnnxFile.read(file)).hasMessageContaining("'w1' lies in another file");
  }
}
