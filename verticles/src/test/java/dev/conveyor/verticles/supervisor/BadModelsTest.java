package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.CodedOutputStream;
import dev.conveyor.models.OnnxFiles;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models that cannot be loaded, in the place of one that serves: it must serve on. */
final class BadModelsTest {

  @TempDir private static Path dir;
  private static TestModels models;
  private static TestServer server;
  private static byte[] good;

  /** Four times 2.0. */
  private static final byte[] WEIGHTS = {0, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0, 64};

  private interface Writer {
    void write(CodedOutputStream out) throws IOException;
  }

  @BeforeAll
  static void start() throws IOException {
    models = new TestModels(dir.resolve("models")).identity("model", 4);
    good = Files.readAllBytes(models.file("model", 1));
    server = TestServer.start(models);
  }

  @AfterEach
  void shouldServeOn() throws IOException {
    assertThat(server.http().get("/v2/models/model/ready").status()).isEqualTo(200);
    Answer answer = server.http().infer("model", Requests.row(1, 2, 3, 4));
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    server.assertIdle();
    Files.write(models.file("model", 1), good);
  }

  @AfterAll
  static void stop() {
    assertThat(server.http().post("/v2/repository/models/model/load", "").status()).isEqualTo(200);
    server.close();
  }

  @Test
  void shouldRefuseATruncatedFile() throws IOException {
    assertRefused(Arrays.copyOf(good, good.length / 2), "");
  }

  @Test
  void shouldRefuseAFileOfAnotherKind() throws IOException {
    assertRefused("{\"not\": \"a model\"}".getBytes(StandardCharsets.UTF_8), "rotobuf");
  }

  @Test
  void shouldRefuseAnEmptyFile() throws IOException {
    assertRefused(new byte[0], "the file is empty");
  }

  @Test
  void shouldRefuseAnOperatorThatDoesNotExist() throws IOException {
    OnnxFiles.Value in = new OnnxFiles.Value("INPUT0", OnnxFiles.FLOAT, List.of("batch", 4));
    OnnxFiles.Value out = new OnnxFiles.Value("OUTPUT0", OnnxFiles.FLOAT, List.of("batch", 4));
    Path file =
        OnnxFiles.oneNode(dir.resolve("strange.onnx"), "Frobnicate", List.of(in), List.of(out));
    assertRefused(Files.readAllBytes(file), "Frobnicate");
  }

  @Test
  void shouldRefuseAnOpsetOfTheFuture() throws IOException {
    // The last two bytes are the opset's version.
    byte[] future = good.clone();
    future[future.length - 1] = 127;
    assertRefused(future, "opset");
  }

  @Test
  void shouldRefuseTensorsThatNoMemoryHolds() throws IOException {
    for (long width : new long[] {1L << 33, 1L << 62}) {
      OnnxFiles.Value in = new OnnxFiles.Value("INPUT0", OnnxFiles.FLOAT, List.of("batch", width));
      OnnxFiles.Value out =
          new OnnxFiles.Value("OUTPUT0", OnnxFiles.FLOAT, List.of("batch", width));
      Path file =
          OnnxFiles.oneNode(dir.resolve("giant.onnx"), "Identity", List.of(in), List.of(out));
      assertRefused(Files.readAllBytes(file), "batches of up to 32");
    }
  }

  @Test
  void shouldReadWeightsInsideOfTheModelsDirectory() throws IOException {
    Path file = models.file("model", 1);
    Files.write(file.resolveSibling("weights.bin"), WEIGHTS);
    Files.delete(file);
    Files.write(file, withExternalWeights("weights.bin"));
    Answer loaded = server.http().post("/v2/repository/models/model/load", "");
    assertThat(loaded.status()).as(loaded::text).isEqualTo(200);
    assertThat(server.http().infer("model", Requests.row(1, 2, 3, 4)).text())
        .contains("[3.0,4.0,5.0,6.0]");
  }

  /** Each is a file with the same weights as in the test above, so that only its place is wrong. */
  @ParameterizedTest
  @ValueSource(strings = {"../../../secret.bin", "/secret.bin", "link.bin", "below/secret.bin"})
  void shouldRefuseToReadWeightsOutsideOfTheModelsDirectory(String location) throws IOException {
    Path secret = Files.write(dir.resolve("secret.bin"), WEIGHTS).toRealPath();
    Path version = models.file("model", 1).getParent();
    Files.deleteIfExists(version.resolve("link.bin"));
    Files.deleteIfExists(version.resolve("below"));
    Files.createSymbolicLink(version.resolve("link.bin"), secret);
    Files.createSymbolicLink(version.resolve("below"), secret.getParent());
    assertRefused(
        withExternalWeights(location.startsWith("/") ? secret.toString() : location),
        "External data path validation failed for initializer: W");
  }

  @Test
  void shouldRefuseAConfigurationThatContradictsTheModel() {
    models.config(
        "model", "{\"input\": [{\"name\": \"X\", \"data_type\": \"TYPE_FP32\", \"dims\": [4]}]}");
    try {
      Answer refused = server.http().post("/v2/repository/models/model/load", "");
      assertThat(refused.status()).isEqualTo(400);
      assertThat(refused.error()).contains("config.json").contains("X");
    } finally {
      models.config("model", "{}");
    }
  }

  private static void assertRefused(byte[] model, String reason) throws IOException {
    Path file = models.file("model", 1);
    // A new file: what serves may have the old one mapped.
    Files.delete(file);
    Files.write(file, model);
    Answer refused = server.http().post("/v2/repository/models/model/load", "");
    assertThat(refused.status()).as(refused::text).isEqualTo(400);
    assertThat(refused.error()).contains("model.onnx").contains(reason);
  }

  /** Returns a model that adds four numbers, which it wants read from a file. */
  private static byte[] withExternalWeights(String location) {
    byte[] entry = message(o -> strings(o, "location", location));
    byte[] weights =
        message(
            o -> {
              o.writeInt64(1, 4);
              o.writeInt32(2, OnnxFiles.FLOAT);
              o.writeString(8, "W");
              o.writeByteArray(13, entry);
              o.writeInt32(14, 1);
            });
    byte[] node =
        message(
            o -> {
              o.writeString(1, "INPUT0");
              o.writeString(1, "W");
              o.writeString(2, "OUTPUT0");
              o.writeString(4, "Add");
            });
    byte[] graph =
        message(
            o -> {
              o.writeByteArray(1, node);
              o.writeString(2, "external");
              o.writeByteArray(5, weights);
              o.writeByteArray(11, tensor("INPUT0"));
              o.writeByteArray(12, tensor("OUTPUT0"));
            });
    return message(
        o -> {
          o.writeInt64(1, 8);
          o.writeByteArray(7, graph);
          o.writeByteArray(8, message(opset -> opset.writeInt64(2, 13)));
        });
  }

  private static byte[] tensor(String name) {
    byte[] shape =
        message(
            o -> {
              o.writeByteArray(1, message(d -> d.writeString(2, "batch")));
              o.writeByteArray(1, message(d -> d.writeInt64(1, 4)));
            });
    byte[] type =
        message(
            o -> {
              o.writeInt32(1, OnnxFiles.FLOAT);
              o.writeByteArray(2, shape);
            });
    return message(
        o -> {
          o.writeString(1, name);
          o.writeByteArray(2, message(t -> t.writeByteArray(1, type)));
        });
  }

  private static void strings(CodedOutputStream out, String key, String value) throws IOException {
    out.writeString(1, key);
    out.writeString(2, value);
  }

  private static byte[] message(Writer writer) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    try {
      writer.write(out);
      out.flush();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return bytes.toByteArray();
  }
}
