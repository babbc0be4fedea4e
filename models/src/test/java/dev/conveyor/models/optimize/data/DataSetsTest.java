package dev.conveyor.models.optimize.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.graph.Weights;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DataSetsTest {

  private static final List<TensorSpec> INPUTS =
      List.of(new TensorSpec("x", DataType.FP32, Shape.of(-1, 2)));

  @TempDir private Path dir;

  @Test
  void shouldReadItemsAndLabelsFromNumpyFiles() throws IOException {
    npy("x.npy", "<f4", "(3, 2)", floats(1, 2, 3, 4, 5, 6));
    npy("labels.npy", "<i8", "(3,)", ByteBuffer.allocate(24).put(8, (byte) 2).array());

    DataSet data = DataSets.open(dir, INPUTS, List.of(), List.of());

    assertThat(data.size()).isEqualTo(3);
    assertThat(Weights.floats(data.sample(1).inputs().get(0))).containsExactly(3, 4);
    assertThat(data.sample(1).inputs().get(0).shape()).isEqualTo(Shape.of(1, 2));
    assertThat(data.sample(1).truth().label()).isEqualTo(2);
  }

  @Test
  void shouldSayWhatDoesNotSuit() throws IOException {
    assertThatThrownBy(this::open).hasMessageContaining("no data");
    assertThatThrownBy(() -> DataSets.open(dir.resolve("none"), INPUTS, List.of(), List.of()))
        .hasMessageContaining("no such directory");
    npy("other.npy", "<f4", "(1, 2)", floats(1, 2));
    assertThatThrownBy(this::open)
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("x.npy: no such file");
    npy("x.npy", "<f4", "(1, 3)", floats(1, 2, 3));
    assertThatThrownBy(this::open)
        .hasMessageContaining("holds FP32 [1,3], input 'x' takes FP32 [-1,2]");
    npy("x.npy", "<f4", "(0, 2)", floats());
    assertThatThrownBy(this::open).hasMessageContaining("holds 0 items");
    npy("x.npy", "<f4", "(2, 2)", floats(1, 2, 3));
    assertThatThrownBy(this::open).hasMessageContaining("12 bytes of data, shape [2,2] needs 16");
    npy("x.npy", ">f4", "(1, 2)", floats(1, 2));
    assertThatThrownBy(this::open).hasMessageContaining("elements of type '>f4'");
    Files.writeString(dir.resolve("x.npy"), "certainly no array");
    assertThatThrownBy(this::open).hasMessageContaining("not a .npy file");
  }

  @Test
  void shouldAskForAPreprocessingBlockBeforeItTakesImages() throws IOException {
    Files.writeString(dir.resolve("a.jpg"), "");

    assertThatThrownBy(this::open)
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("no preprocessing block for input 'x'");
  }

  @Test
  void shouldNotEvaluateWithWhatCalibrated() {
    DataSet all = TinyModels.data("x", 100, 1, 2);

    DataSets.Split split = DataSets.split(all, 30);

    assertThat(split.shared()).isFalse();
    assertThat(split.calibration().size() + split.evaluation().size()).isEqualTo(100);
    Set<String> names = new HashSet<>();
    for (DataSet part : List.of(split.calibration(), split.evaluation())) {
      for (int i = 0; i < part.size(); i++) {
        assertThat(names.add(part.sample(i).name())).isTrue();
      }
    }
    assertThat(DataSets.split(all, 60).shared()).isTrue();
    assertThat(DataSets.split(all, 60).evaluation().size()).isEqualTo(100);
  }

  @Test
  void shouldTellDirectoriesApartByWhatIsInThem(@TempDir Path copy) throws IOException {
    npy("x.npy", "<f4", "(1, 2)", floats(1, 2));
    String before = DataFingerprint.of(dir);
    Files.copy(dir.resolve("x.npy"), copy.resolve("x.npy"));
    Files.setLastModifiedTime(copy.resolve("x.npy"), FileTime.fromMillis(1));
    Files.writeString(dir.resolve(".hidden"), "no data");

    assertThat(DataFingerprint.of(copy)).isEqualTo(before);
    assertThat(DataFingerprint.of(dir)).isEqualTo(before);

    npy("x.npy", "<f4", "(1, 2)", floats(1, 3));
    String changed = DataFingerprint.of(dir);
    assertThat(changed).isNotEqualTo(before);
    Files.move(dir.resolve("x.npy"), dir.resolve("y.npy"));
    assertThat(DataFingerprint.of(dir)).isNotEqualTo(changed);
    assertThatThrownBy(() -> DataFingerprint.of(dir.resolve("none")))
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("no such directory");
  }

  private DataSet open() {
    return DataSets.open(dir, INPUTS, List.of(), List.of());
  }

  private void npy(String name, String type, String shape, byte[] data) throws IOException {
    String header =
        "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n".formatted(type, shape);
    byte[] text = header.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer file =
        ByteBuffer.allocate(10 + text.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    file.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0});
    file.putShort((short) text.length).put(text).put(data);
    Files.write(dir.resolve(name), file.array());
  }

  private static byte[] floats(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }
}
