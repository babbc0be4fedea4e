package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class TuneCommandTest {

  private static final Path MODELS = Path.of("..", "conf", "models");

  @TempDir private Path folder;
  private Path model = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void copyModel() throws IOException {
    model = folder.resolve("models").resolve("surface_classifier");
    Files.createDirectories(model.resolve("1"));
    for (String file : List.of("config.json", "labels.txt", "1/model.onnx")) {
      Files.copy(MODELS.resolve("surface_classifier").resolve(file), model.resolve(file));
    }
  }

  private int run(String... arguments) {
    return new CommandLine(new TuneCommand())
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  private int tune(String p99, String... more) {
    List<String> arguments = new ArrayList<>(List.of(model.toString(), "--p99", p99));
    arguments.addAll(
        List.of("--instances", "1", "--threads", "1", "--batch", "1,2", "--providers", "cpu"));
    arguments.addAll(List.of("--runs", "4", "--duration", "0.05", "--concurrency", "2"));
    arguments.addAll(List.of(more));
    return run(arguments.toArray(new String[0]));
  }

  @Test
  void shouldPrintTheFrontDrawItAndWriteTheBestOrSayThatTheDefaultsAre() throws IOException {
    Path json = folder.resolve("tune.json");
    Path plot = folder.resolve("tune.svg");
    Path best = folder.resolve("best.json");
    int code =
        tune(
            "60000",
            "--json",
            json.toString(),
            "--plot",
            plot.toString(),
            "--out",
            best.toString());
    assertThat(err.toString()).doesNotContain("conveyor:");
    assertThat(code).isZero();
    assertThat(out.toString()).contains("front").contains("inf/s");
    assertThat(Files.readString(plot)).contains("Pareto front").contains("as configured");
    JsonObject report = new JsonObject(Files.readString(json));
    assertThat(report.getJsonArray("measured").size()).isGreaterThanOrEqualTo(2);
    assertThat(report.getInteger("runs")).isBetween(3, 4);
    assertThat(Files.exists(best)).isEqualTo(report.getBoolean("improves"));
    if (report.getBoolean("improves")) {
      ModelConfig written = ModelConfigReader.read("surface_classifier", Files.readString(best));
      assertThat(written.maxBatchSize())
          .isEqualTo(report.getJsonObject("best").getInteger("max_batch_size"));
    } else {
      assertThat(out.toString()).contains("nothing written");
    }
  }

  @Test
  void shouldFailAndWriteNothingWhenTheObjectiveCannotBeMet() throws IOException {
    String before = Files.readString(model.resolve("config.json"));
    assertThat(tune("0.0001", "--write")).isEqualTo(1);
    assertThat(out.toString()).contains("no setting that was tried").contains("nothing written");
    assertThat(model.resolve("config.json")).hasContent(before);
  }

  @Test
  void shouldSayWhatIsWrongWithTheCommandLine() {
    assertThat(tune("1", "--rate", "5")).isEqualTo(2);
    assertThat(err.toString()).contains("--concurrency and --rate exclude each other");
    assertThat(run(model.toString(), "--p99", "0")).isEqualTo(2);
    assertThat(err.toString()).contains("p99: expected more than 0 ns");
    assertThat(run(model.toString(), "--p99", "1", "--plot", "front.bmp")).isEqualTo(2);
    assertThat(err.toString()).contains(".svg or .png");
  }

  @Test
  void shouldNameAModelThatIsNotThereOrHasNoSettings() throws IOException {
    assertThat(run(folder.resolve("nothing").toString(), "--p99", "1")).isEqualTo(1);
    assertThat(err.toString()).contains("nothing").contains("no such model directory");
    Path ensemble = Files.createDirectories(folder.resolve("models").resolve("pair"));
    Files.copy(
        MODELS.resolve("inspection").resolve("config.json"), ensemble.resolve("config.json"));
    Files.writeString(
        ensemble.resolve("config.json"),
        Files.readString(ensemble.resolve("config.json")).replace("\"inspection\"", "\"pair\""));
    assertThat(run(ensemble.toString(), "--p99", "1")).isEqualTo(1);
    assertThat(err.toString()).contains("ensemble_scheduling").contains("tune its models");
  }

  @Test
  void shouldNotPutASecondConfigurationBesideATextOne() throws IOException {
    Files.delete(model.resolve("config.json"));
    Files.writeString(model.resolve("config.pbtxt"), "name: \"surface_classifier\"\n");
    assertThat(tune("1", "--write")).isEqualTo(1);
    assertThat(err.toString()).contains("config.pbtxt").contains("--out");
  }
}
