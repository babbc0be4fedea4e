package dev.conveyor.models.optimize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.OnnxRules;
import dev.conveyor.models.optimize.quantize.Target;
import dev.conveyor.models.repository.ModelRepository;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class OptimizerTest {

  @TempDir private Path dir;

  private final DataSet data = TinyModels.data("image", 24, 1, 4, 8, 8);

  @Test
  void shouldMakeAndJudgeEveryKindOfVariant() throws IOException {
    String[] all = {
      "fp16",
      "fp16-io",
      "bf16",
      "int8",
      "int8-dynamic",
      "int8-weights",
      "sparse-2:4",
      "unstructured:0.5"
    };

    Report report = new Optimizer(options(100, 0, all), Progress.NONE).optimize(source(data));

    assertThat(report.variants()).extracting(VariantReport::name).containsExactly(all);
    assertThat(report.variants()).allMatch(VariantReport::passes);
    assertThat(report.scores().metric()).isEqualTo("top-1 agreement");
    assertThat(report.variant("int8").orElseThrow().speed()).hasSize(2);
    assertThat(report.variant("int8").orElseThrow().notes())
        .anyMatch(n -> n.startsWith("calibrated by"))
        .anyMatch(n -> n.contains("operators in float: {Softmax=1}"));
    Path checked = Files.createDirectories(dir.resolve("all"));
    for (VariantReport variant : report.variants()) {
      Path file = checked.resolve(variant.name().replace(':', '_') + ".onnx");
      RepositoryWriter.writeFile(file, variant.model());
      assertThat(OnnxFile.read(file).toByteArray()).isEqualTo(variant.model());
      assertThat(OnnxRules.check(OnnxFile.read(file))).isEmpty();
    }
  }

  @Test
  void shouldFailAVariantThatLosesTooMuchAndSayHowMuch() throws IOException {
    Report report =
        new Optimizer(options(0.5, 0, "unstructured:0.99"), Progress.NONE).optimize(source(data));

    VariantReport variant = report.variants().get(0);
    assertThat(variant.passes()).isFalse();
    assertThat(variant.failures().get(0)).contains("points of top-1 agreement, at most 0.50");
    assertThat(report.best()).isEmpty();
  }

  @Test
  void shouldFailAVariantMadeForSpeedThatIsNotFaster() throws IOException {
    Report report = new Optimizer(options(100, 1000, "int8"), Progress.NONE).optimize(source(data));

    assertThat(report.variants().get(0).failures().get(0))
        .contains("times as fast as the original, at least 1000.00 is expected");
  }

  @Test
  void shouldWriteTheNextVersionAndLeaveTheRestAlone() throws IOException {
    ModelSource source = source(data);
    byte[] better =
        TinyModels.classifier().model().toBuilder().setDocString("2").build().toByteArray();

    Path file =
        RepositoryWriter.writeNextVersion(
            source.directory().orElseThrow(),
            source.directory().orElseThrow().readConfig(),
            better);

    assertThat(file).isEqualTo(dir.resolve("net/2/model.onnx")).hasBinaryContent(better);
    assertThat(dir.resolve("net/1/model.onnx")).hasBinaryContent(source.bytes());
    assertThat(new ModelRepository(dir).open("net").versions()).containsExactly(1L, 2L);
  }

  @Test
  void shouldWriteNothingThatOnnxRuntimeRefuses() throws IOException {
    ModelSource source = source(data);

    assertThatThrownBy(
            () ->
                RepositoryWriter.writeNextVersion(
                    source.directory().orElseThrow(),
                    source.directory().orElseThrow().readConfig(),
                    new byte[] {1, 2, 3}))
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("not written");
    try (Stream<Path> files = Files.list(dir.resolve("net"))) {
      assertThat(files).containsExactly(dir.resolve("net/1"));
    }
  }

  @Test
  void shouldWriteNothingThatBreaksARuleOfOnnx() throws IOException {
    Path file = dir.resolve("broken.onnx");
    byte[] broken = TinyModels.classifier().node("Relu", "scores", "r1").model().toByteArray();

    assertThatThrownBy(() -> RepositoryWriter.writeFile(file, broken))
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("not written: breaks the rules of ONNX")
        .hasMessageContaining("'r1' is defined again");
    assertThat(file).doesNotExist();
  }

  @Test
  void shouldCompareAStudentWithItsTeacher() throws IOException {
    ModelSource teacher = source(data);

    Report report = new Optimizer(options(0.5, 0, "fp16"), Progress.NONE).compare(teacher, teacher);

    assertThat(report.variants()).hasSize(1);
    assertThat(report.variants().get(0).name()).isEqualTo("student");
    assertThat(report.variants().get(0).drop()).isZero();
    assertThat(report.variants().get(0).sizeRatio()).isEqualTo(1);
  }

  @Test
  void shouldNameTheVariantsThereAre() {
    assertThat(VariantKind.parse(" Channels:0.25 ").label()).isEqualTo("channels:0.25");
    for (String wrong : new String[] {"int4", "channels", "channels:2", "unstructured:x"}) {
      assertThatThrownBy(() -> VariantKind.parse(wrong))
          .isInstanceOf(OptimizeException.class)
          .hasMessageContaining("unknown variant \"%s\"".formatted(wrong))
          .hasMessageContaining("sparse-2:4");
    }
  }

  @Test
  void shouldKnowVnniFromTheProcessorsFlags() throws IOException {
    Path with = Files.writeString(dir.resolve("with"), "flags : avx2 avx512_vnni sse");
    Path without = Files.writeString(dir.resolve("without"), "flags : avx2 sse");
    boolean x86 = System.getProperty("os.arch").matches("amd64|x86_64");

    assertThat(Vnni.isIn(with)).isTrue();
    assertThat(Vnni.isIn(without)).isEqualTo(!x86);
  }

  private ModelSource source(DataSet items) throws IOException {
    Path file = dir.resolve("net/1/model.onnx");
    OnnxFile.write(file, TinyModels.classifier().model());
    return new ModelSource(
        file,
        Files.readAllBytes(file),
        Optional.of(new ModelRepository(dir).open("net")),
        true,
        items);
  }

  private static OptimizeOptions options(double maxDrop, double minSpeedUp, String... variants) {
    return options(maxDrop, 0.01, minSpeedUp, variants);
  }

  private static OptimizeOptions options(
      double maxDrop, double maxDifference, double minSpeedUp, String... variants) {
    return new OptimizeOptions(
        Arrays.stream(variants).map(VariantKind::parse).toList(),
        Target.CPU,
        Optional.empty(),
        8,
        maxDrop,
        maxDifference,
        0.5,
        minSpeedUp,
        Set.of(),
        1,
        List.of(1, 2),
        Duration.ofMillis(5));
  }
}
