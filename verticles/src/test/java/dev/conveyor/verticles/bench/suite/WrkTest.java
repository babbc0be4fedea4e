package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.verticles.bench.FakeServer;
import dev.conveyor.verticles.bench.load.HttpPayload;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Payloads;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WrkTest {

  @TempDir private Path directory;

  @Test
  void shouldReadWhatTheScriptPrints() {
    HttpLoad.Figures figures =
        Wrk.parse("  Requests/sec: 1\nRESULT requests=2000 micros=500000 errors=10 p50=44.0\n");

    assertThat(figures.requests()).isEqualTo(1_990);
    assertThat(figures.perSecond()).isCloseTo(3_980, within(1e-9));
    assertThat(figures.p50Micros()).isEqualTo(44);
    assertThat(figures.errors()).isEqualTo(10);
  }

  @Test
  void shouldSayWhatWasPrintedWhenThereIsNoResult() {
    assertThatThrownBy(() -> Wrk.parse("unable to connect"))
        .isInstanceOf(CannotMeasureException.class)
        .hasMessageContaining("unable to connect");
  }

  @Test
  void shouldPostThePreparedRequest() throws Exception {
    assumeTrue(Wrk.isInstalled(), "wrk is not installed");
    InferPayload payload =
        Payloads.synthetic(
                "good",
                List.of(new TensorSpec("INPUT0", DataType.FP32, Shape.of(-1, 16))),
                List.of(),
                1,
                Payloads.Fill.RANDOM)
            .get(0);
    try (FakeServer server = new FakeServer()) {
      Path script = Wrk.writeScript(HttpPayload.of(payload), directory);
      String url = "http://127.0.0.1:" + server.port() + HttpPayload.uri("good");

      String output =
          Programs.run(
              Wrk.command(2, Duration.ofSeconds(1), script, url),
              directory.resolve("out"),
              Duration.ofSeconds(30));

      HttpLoad.Figures figures = Wrk.parse(output);
      assertThat(figures.requests()).isPositive();
      assertThat(figures.errors()).isZero();
      assertThat(server.got().get(0).tensors()).isEqualTo(payload.inputs().get(0).data());
    }
  }
}
