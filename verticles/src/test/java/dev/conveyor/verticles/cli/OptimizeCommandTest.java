package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.OnnxRules;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class OptimizeCommandTest {

  private static final int ITEMS = 16;

  @TempDir private Path home;
  private Path net = Path.of("");
  private Path data = Path.of("");
  private Path out = Path.of("");

  @BeforeEach
  void write() throws IOException {
    net = home.resolve("net.onnx");
    data = Files.createDirectories(home.resolve("data"));
    out = Files.createDirectories(home.resolve("out")).resolve("small.onnx");
    Files.write(net, TinyModels.classifier().model().toByteArray());
    array(false, ITEMS, 4, 8, 8);
  }

  private void array(boolean withNan, int... shape) throws IOException {
    int elements = 1;
    List<String> dims = new ArrayList<>();
    for (int dim : shape) {
      elements *= dim;
      dims.add(Integer.toString(dim));
    }
    String header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
            .formatted(String.join(", ", dims));
    String padded = header + " ".repeat(63 - (10 + header.length()) % 64) + "\n";
    ByteBuffer file =
        ByteBuffer.allocate(10 + padded.length() + 4 * elements).order(ByteOrder.LITTLE_ENDIAN);
    file.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
    file.put((byte) 1).put((byte) 0).putShort((short) padded.length());
    file.put(padded.getBytes(StandardCharsets.US_ASCII));
    Random random = new Random(1);
    for (int i = 0; i < elements; i++) {
      file.putFloat(withNan && i == elements / 3 ? Float.NaN : (float) random.nextGaussian());
    }
    Files.write(data.resolve("image.npy"), file.array());
  }

  private Line optimize(String... more) {
    List<String> arguments = new ArrayList<>(List.of(net.toString(), "--data", data.toString()));
    arguments.addAll(List.of("--out", out.toString(), "--duration", "0.02", "--batch", "1"));
    arguments.addAll(List.of(more));
    return execute(arguments.toArray(new String[0]));
  }

  /** As {@link Main} runs it. */
  private static Line execute(String... arguments) {
    StringWriter printed = new StringWriter();
    StringWriter errors = new StringWriter();
    int exitCode =
        new CommandLine(new OptimizeCommand())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setOut(new PrintWriter(printed, true))
            .setErr(new PrintWriter(errors, true))
            .execute(arguments);
    return new Line(exitCode, printed.toString(), errors.toString());
  }

  /** The message names the file, says what was found and expected, and nothing is left behind. */
  private void refuses(Line line, String... parts) throws IOException {
    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.err()).contains("conveyor: ").contains(parts).doesNotContain("\tat ");
    try (Stream<Path> left = Files.list(out.getParent())) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void shouldWriteAWholeVariantAndListTheOperatorsLeftInFloat() throws IOException {
    Path json = home.resolve("report.json");
    Line line =
        optimize(
            "--variants",
            "int8",
            "--max-drop",
            "100",
            "--min-speed-up",
            "0",
            "--json",
            json.toString());
    assertThat(line.err()).doesNotContain("conveyor:");
    assertThat(line.exitCode()).isZero();
    assertThat(line.out()).contains("operators in float: {Softmax=1}").contains("written to");
    assertThat(OnnxRules.check(OnnxFile.read(out))).isEmpty();
    try (Stream<Path> left = Files.list(out.getParent())) {
      assertThat(left).containsExactly(out);
    }
    JsonObject report = new JsonObject(Files.readString(json));
    assertThat(report.getString("written")).contains("int8").contains(out.toString());
  }

  @Test
  void shouldSayWhichFileIsNoModel() throws IOException {
    Files.writeString(net, "this is text, not a model");
    refuses(optimize(), net.toString(), "not an ONNX model");
    byte[] whole = TinyModels.classifier().model().toByteArray();
    Files.write(net, Arrays.copyOf(whole, whole.length / 2));
    refuses(optimize(), net.toString(), "not an ONNX model");
    Files.write(net, new byte[0]);
    refuses(optimize(), net.toString());
    Files.delete(net);
    refuses(optimize(), net.toString(), "cannot be read");
  }

  @Test
  void shouldRefuseModelsOverTwoGigabytesBeforeReadingThem() throws IOException {
    try (RandomAccessFile sparse = new RandomAccessFile(net.toFile(), "rw")) {
      sparse.setLength((1L << 31) + 1);
    }
    refuses(optimize(), net.toString(), "2,147,483,649 bytes", "models over 2 GB");
  }

  @Test
  void shouldRefuseModelsWhoseWeightsLieElsewhere() throws IOException {
    ModelProto.Builder model = TinyModels.classifier().model().toBuilder();
    model
        .getGraphBuilder()
        .getInitializerBuilder(0)
        .setDataLocation(TensorProto.DataLocation.EXTERNAL);
    Files.write(net, model.build().toByteArray());
    refuses(optimize(), net.toString(), "'w1' lies in another file");
  }

  @Test
  void shouldRefuseDataThatIsNotThereOrDoesNotSuit() throws IOException {
    array(false, ITEMS, 3, 8, 8);
    refuses(optimize(), "image.npy", "[16,3,8,8]", "4,8,8");
    Files.move(data.resolve("image.npy"), data.resolve("picture.npy"));
    refuses(optimize(), "image.npy", "no such file", "'image'");
    Files.delete(data.resolve("picture.npy"));
    refuses(optimize(), data.toString(), "no data");
    array(false, 0, 4, 8, 8);
    refuses(optimize(), "image.npy", "holds 0 items");
    Files.writeString(data.resolve("image.npy"), "not an array");
    refuses(optimize(), "image.npy", "not a .npy file");
    Files.delete(data.resolve("image.npy"));
    Files.delete(data);
    refuses(optimize(), data.toString(), "no such directory");
  }

  @Test
  void shouldRefuseToCalibrateWithWhatIsNoNumber() throws IOException {
    array(true, ITEMS, 4, 8, 8);
    refuses(optimize("--variants", "int8"), "not a finite number", "cannot calibrate");
  }

  @Test
  void shouldWriteNothingWhenNoVariantPassesUnlessForced() throws IOException {
    String[] hopeless = {"--variants", "unstructured:0.99", "--max-drop", "0"};
    Line line = optimize(hopeless);
    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.out()).contains("nothing written: no variant passes");
    assertThat(out).doesNotExist();

    Line forced =
        optimize(Stream.concat(Stream.of(hopeless), Stream.of("--force")).toArray(String[]::new));
    assertThat(forced.exitCode()).isEqualTo(1);
    assertThat(forced.out()).contains("although it does not pass (--force)");
    assertThat(OnnxRules.check(OnnxFile.read(out))).isEmpty();
  }

  @Test
  void shouldSayWhichFileCannotBeWritten() throws IOException {
    Path file = Files.writeString(home.resolve("file"), "");
    out = file.resolve("below.onnx");
    Line line = optimize("--variants", "bf16", "--max-drop", "100");
    assertThat(line.exitCode()).isEqualTo(1);
    assertThat(line.err()).contains("conveyor: ").contains(out.toString(), "cannot be written");
    assertThat(file).hasContent("");
  }

  @Test
  void shouldSayWhatIsWrongWithTheCommandLine() {
    assertThat(execute(net.toString()).exitCode()).isEqualTo(2);
    assertThat(optimize("--compare").exitCode()).isEqualTo(2);
    Line unknown = optimize("--variants", "int7");
    assertThat(unknown.exitCode()).isEqualTo(1);
    assertThat(unknown.err()).contains("int7").contains("int8");
  }
}
