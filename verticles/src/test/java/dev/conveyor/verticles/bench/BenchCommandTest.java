package dev.conveyor.verticles.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.Shape;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchCommandTest {

  @TempDir private Path directory;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void shouldMeasureASweepAndWriteTableJsonAndPlot() throws Exception {
    Path json = directory.resolve("load.json");
    Path plot = directory.resolve("load.svg");
    try (FakeServer server = new FakeServer()) {
      int exitCode =
          run(
              "--model good --port %d --concurrency 1,3 --warmup 0.05 --duration 0.1 --batch 2"
                      .formatted(server.port())
                  + " --json %s --plot %s".formatted(json, plot));

      assertThat(err.toString()).isEqualTo("measuring c=1\nmeasuring c=3\n");
      assertThat(exitCode).isZero();
      assertThat(server.got().get(0).tensors().length()).isEqualTo(2 * 16 * Float.BYTES);
    }
    assertThat(out.toString()).contains("c=1   good", "c=3   good");
    JsonArray points = new JsonArray(Files.readString(json));
    assertThat(points).hasSize(2);
    JsonObject model = points.getJsonObject(0).getJsonArray("models").getJsonObject(0);
    assertThat(model.getLong("inferences")).isEqualTo(2 * model.getLong("requests")).isPositive();
    assertThat(Files.readString(plot)).startsWith("<svg").contains("good over http");
  }

  @Test
  void shouldMeasureModelsAtTheSameTimeInAnOpenLoopAndCountErrors() throws Exception {
    try (FakeServer server = new FakeServer()) {
      int exitCode =
          run(
              "--model good,bad --port %d --rate 200 --warmup 0.05 --duration 0.3"
                  .formatted(server.port()));

      assertThat(exitCode).isZero();
    }
    assertThat(out.toString()).containsPattern("200/s: \\d+ x HTTP 429: queue full");
  }

  @Test
  void shouldSendTheInputsNamedOnTheCommandLine() throws Exception {
    try (FakeServer server = new FakeServer()) {
      run(
          "--model good --port %d --concurrency 1 --warmup 0 --duration 0.1 --input x:INT8:-1x3"
              .formatted(server.port()));

      JsonObject input = server.got().get(0).head().getJsonArray("inputs").getJsonObject(0);
      assertThat(input.getString("name")).isEqualTo("x");
      assertThat(input.getJsonArray("shape").encode()).isEqualTo(Shape.of(1, 3).toString());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--concurrency 1|--model is missing",
        "--model a --protocol pigeon|unknown protocol \"pigeon\", expected one of http, http-shm, grpc",
        "--model a --concurrency 0|concurrency must be at least 1, was 0",
        "--model a --concurrency 1 --rate 5|--concurrency and --rate exclude each other",
        "--model a --rate 0|a rate is above 0",
        "--model a --plot x.gif|a plot ends with .svg or .png",
        "--model a --concurrency x|'x' is not an int",
        "--suite nothing|unknown suite \"nothing\", there is: faults, gpu, memory, optimization"
      })
  void shouldSayWhatIsWrongWithTheCommandLine(String arguments, String message) {
    assertThat(run(arguments)).isEqualTo(2);
    assertThat(err.toString()).contains(message);
  }

  @Test
  void shouldFailWhenNoServerListens() {
    assertThat(run("--model a --port 1 --concurrency 1")).isEqualTo(1);
    assertThat(err.toString()).startsWith("bench: ").contains("refused");
  }

  private int run(String arguments) {
    return BenchCommand.commandLine()
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(arguments.split(" ", -1));
  }
}
