package dev.conveyor.verticles.cli.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.device.Simulators;
import dev.conveyor.models.tensorrt.TensorRtBackend;
import dev.conveyor.verticles.bench.load.Payloads;
import dev.conveyor.verticles.cli.gpucheck.Finding.Outcome;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** That checks of models see what is wrong, and nothing where nothing is. */
class ModelChecksTest {

  private static final int WIDTH = 16;
  private static final int ITEMS = 5;

  @TempDir private Path directory;
  private CudaSimulator simulator;
  private CheckSite site;

  @BeforeEach
  void begin() {
    simulator =
        Simulators.start("real_time=1 devices=1 copy_ns=2000 utilization=96 sm_activity=88");
    Gpus gpus = Gpus.find(0);
    Cuda cuda = Objects.requireNonNull(gpus.cuda());
    site = new CheckSite(gpus, cuda, gpus.usable().get(0), directory, directory, directory);
  }

  /** Other tests of this process find a machine without a GPU again. */
  @AfterEach
  void end() {
    if (site != null) {
      site.close();
      simulator.reset("devices=0");
    }
  }

  private Subject subject() {
    new TestModels(directory.resolve("models")).identity("echo", DataType.FP32, "N", WIDTH);
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < ITEMS; i++) {
      ByteBuffer data = ByteBuffer.allocate(4 * WIDTH).order(ByteOrder.LITTLE_ENDIAN);
      for (int w = 0; w < WIDTH; w++) {
        data.putFloat(4 * w, i * WIDTH + w);
      }
      items.add(new Item(List.of(Tensor.of("INPUT0", DataType.FP32, Shape.of(1, WIDTH), data))));
    }
    Path file = directory.resolve("models/echo/1/model.onnx");
    return new Subject(file, "{\"max_batch_size\": 4}", items, 4);
  }

  private static JsonObject settings(String how) {
    return new JsonObject()
        .put(
            "parameters",
            new JsonObject().put(EchoBackend.PARAMETER, new JsonObject().put("string_value", how)));
  }

  private static Way way(String how) {
    return new Way(EchoBackend.PARAMETER, settings(how));
  }

  private Finding answers(String how) throws Exception {
    Way way = way(how);
    return new ModelCheck("echo", 1e-6, s -> way).run(site, way.find(), way, subject());
  }

  private Finding memory(String how) {
    Way way = way(how);
    return new LeakCheck("echo", s -> way).run(site, way.find(), way, subject());
  }

  @Test
  void shouldTellRightAnswersFromWrongOnes() throws Exception {
    Finding right = answers("right");
    Finding wrong = answers("wrong");

    assertThat(right.outcome()).as(right.toString()).isEqualTo(Outcome.PASSED);
    assertThat(right.numbers().get("worst_relative_difference")).isZero();
    assertThat(right.numbers().get("items_per_second")).isPositive();
    assertThat(right.numbers().get("compute_share")).isBetween(0.01, 1.0);
    assertThat(right.figure()).contains("timeline-echo.json");
    assertThat(computations()).hasSizeGreaterThanOrEqualTo(3 * 20);
    assertThat(wrong.outcome()).as(wrong.toString()).isEqualTo(Outcome.FAILED);
    assertThat(wrong.reason()).contains("a difference of 1e-06 is allowed");
  }

  @Test
  void shouldSeeMemoryThatDoesNotComeBack() {
    Finding clean = memory("right");
    Finding leaking = memory("leaking");

    assertThat(clean.outcome()).as(clean.toString()).isEqualTo(Outcome.PASSED);
    assertThat(leaking.outcome()).as(leaking.toString()).isEqualTo(Outcome.FAILED);
    assertThat(leaking.numbers().get("missing_bytes")).isGreaterThanOrEqualTo(8 << 20);
  }

  @Test
  void shouldCompareTheBareLoopWithTheInstance() throws Exception {
    Way way = way("right");
    Subject subject = subject();

    Finding finding =
        new ResNetCheck("echo", "FP32", 1e-6, 0.2)
            .run(site, way.find(), way.config(subject), way.config(subject), subject);

    assertThat(finding.numbers().get("bare_images_per_second")).isPositive();
    assertThat(finding.numbers().get("images_per_second")).isPositive();
    assertThat(finding.numbers().get("worst_relative_difference")).isZero();
    assertThat(finding.numbers().get("utilization")).isEqualTo(0.96);
    assertThat(finding.numbers().get("sm_activity")).isEqualTo(0.88);
    assertThat(finding.numbers().get("speed_up_over_fp32")).isBetween(0.2, 5.0);
    List<JsonObject> computations = computations();
    assertThat(computations.size()).isGreaterThanOrEqualTo(3 * 20);
    assertThat(computations)
        .allSatisfy(
            event -> {
              assertThat(event.getString("ph")).isEqualTo("X");
              assertThat(event.getDouble("dur")).isPositive();
              assertThat(event.getJsonObject("args").getInteger("items")).isEqualTo(4);
            });
    assertThat(computations.stream().map(event -> event.getInteger("tid")).distinct())
        .containsExactlyInAnyOrder(0, 1, 2);
    assertThat(finding.numbers().get("compute_share")).isBetween(0.01, 1.0);
  }

  private List<JsonObject> computations() throws IOException {
    JsonObject timeline = new JsonObject(Files.readString(directory.resolve("timeline-echo.json")));
    return timeline.getJsonArray("traceEvents").stream()
        .map(JsonObject.class::cast)
        .filter(event -> event.getString("name").equals("compute"))
        .toList();
  }

  @Test
  void shouldCalibrateEightBitsInTheRangeOfTheImages() {
    ModelConfig config = ResNetCheck.way(site, "INT8").config(subject());

    assertThat(config.gpuAccelerators().get(0).parameters())
        .containsEntry("precision_mode", "INT8")
        .containsEntry("int8_calibration_data", Subject.photos(site).toString());
    Preprocessing images = config.extensions().preprocessing().get(0);
    for (int c = 0; c < 3; c++) {
      double mean = images.mean().get(c);
      assertThat((0 - mean) * images.scale().get(c)).isCloseTo(-1, within(1e-9));
      assertThat((255 - mean) * images.scale().get(c)).isCloseTo(1, within(1e-9));
    }
  }

  @Test
  void shouldHearWhatABuildTells() {
    Logger backend = LoggerFactory.getLogger(TensorRtBackend.class);
    List<String> lines =
        ProgressCheck.linesOf(
            () -> {
              backend.info("{}: TensorRT builds an engine, which can take minutes", "check/1");
              backend.info("{}: TensorRT: {}", "check/1", "Building: 4 steps");
              backend.info("{}: TensorRT: {}", "check/1", "Building: done");
            });
    backend.info("{}: TensorRT: {}", "check/1", "Too late: done");

    assertThat(lines)
        .containsExactly(
            "check/1: TensorRT: Building: 4 steps", "check/1: TensorRT: Building: done");
    assertThat(ProgressCheck.judge(lines))
        .isEqualTo(Finding.passed("2 lines, 1 phases done").with("lines", 2).with("phases", 1));
    assertThat(ProgressCheck.judge(lines.subList(0, 1)).outcome()).isEqualTo(Outcome.FAILED);
  }

  @Test
  void shouldServeFromTheGpuAndSeeWrongAnswers() throws Exception {
    Finding right = ServerCheck.run(site, subject(), settings("right"));

    assertThat(right.outcome()).as(right.toString()).isEqualTo(Outcome.PASSED);
  }

  @Test
  void shouldCompareTheBareLoopWithAServer() throws Exception {
    Finding finding = new ThroughputCheck(0.3).run(site, way("right"), subject());

    double bare = finding.numbers().get("bare_images_per_second");
    double served = finding.numbers().get("server_images_per_second");
    assertThat(bare).isPositive();
    assertThat(served).isPositive();
    assertThat(finding.numbers().get("share_of_bare")).isEqualTo(served / bare);
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldPutAServerUnderLoadOverHttp() throws Exception {
    Finding finding =
        new LoadCheck(0.3)
            .run(
                site,
                way("right"),
                subject(),
                new JsonObject(),
                (driver, model) ->
                    Payloads.synthetic(
                        model, driver.inputs(model), List.of(), 1, Payloads.Fill.RANDOM));

    double offline = finding.numbers().get("offline_per_second");
    double http = finding.numbers().get("http_requests_per_second");
    assertThat(offline).isPositive();
    assertThat(http).isPositive();
    assertThat(finding.numbers().get("share_of_offline")).isEqualTo(http / offline);
    assertThat(finding.numbers().get("p99_ms_at_load")).isPositive();
    assertThat(finding.figure()).contains("over HTTP", "p99");
  }

  @Test
  void shouldSeeThatTheServerAnswersWrong() throws Exception {
    Finding wrong = ServerCheck.run(site, subject(), settings("wrong"));

    assertThat(wrong.outcome()).as(wrong.toString()).isEqualTo(Outcome.FAILED);
    assertThat(wrong.reason()).isEqualTo("the answers differ");
  }

  @Test
  void shouldMeasureDifferences() {
    List<float[]> expected = List.of(new float[] {1, -4}, new float[] {0, 2});

    assertThat(Answers.worstDifference(expected, expected)).isZero();
    assertThat(Answers.worstDifference(expected, List.of(new float[] {1, -4}, new float[] {1, 2})))
        .isEqualTo(0.25);
    assertThat(
            Answers.worstDifference(
                expected, List.of(new float[] {Float.NaN, -4}, new float[] {0, 2})))
        .isInfinite();
    assertThat(Answers.worstDifference(expected, expected.subList(0, 1))).isInfinite();
  }

  @Test
  void shouldMakeANetworkThatTellsImagesApart() {
    Subject subject = Subject.resNet50(site, 2);

    List<float[]> answers = subject.onCpu();

    assertThat(answers).hasSize(8).allMatch(scores -> scores.length == 1000);
    double same = Answers.worstDifference(answers.subList(0, 1), answers.subList(0, 1));
    double other = Answers.worstDifference(answers.subList(0, 1), answers.subList(1, 2));
    assertThat(same).isZero();
    assertThat(other).isBetween(1e-3, 2.0);
  }
}
