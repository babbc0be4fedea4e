package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.verticles.bench.FakeServer;
import io.vertx.core.buffer.Buffer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HttpProtocolTest {

  private static final Duration LIMIT = Duration.ofSeconds(60);

  private FakeServer server;
  private LoadDriver driver;

  @BeforeEach
  void connect() throws Exception {
    server = new FakeServer();
    driver =
        LoadDriver.connect(
            LoadProtocols.find("http"), new LoadTarget("127.0.0.1", server.port(), 4, LIMIT, null));
  }

  @AfterEach
  void close() throws Exception {
    driver.close();
    server.close();
  }

  @Test
  void shouldReadInputsFromTheModelsMetadata() throws Exception {
    assertThat(driver.inputs("good"))
        .containsExactly(new TensorSpec("INPUT0", DataType.FP32, Shape.of(-1, 16)));
  }

  @Test
  void shouldFailWithTheServersErrorWhenTheModelIsUnknown() {
    assertThatThrownBy(() -> driver.inputs("other")).hasMessage("HTTP 404: unknown model");
  }

  @Test
  void shouldSendHeadAndTensorsAndTheSameAgain() throws Exception {
    Buffer data = Buffer.buffer(new byte[64]).setFloatLE(0, 1.5f);
    InferPayload payload =
        new InferPayload(
            "good",
            List.of(new RequestTensor("INPUT0", DataType.FP32, Shape.of(1, 16), data)),
            List.of("OUTPUT0"),
            1);

    driver.send(driver.lane("good", List.of(payload)), 3, 1, LIMIT);

    assertThat(server.got()).hasSize(3);
    for (FakeServer.Got got : server.got()) {
      assertThat(got.tensors()).isEqualTo(data);
      assertThat(got.head().encode())
          .isEqualTo(
              "{\"inputs\":[{\"name\":\"INPUT0\",\"datatype\":\"FP32\",\"shape\":[1,16],"
                  + "\"parameters\":{\"binary_data_size\":64}}],"
                  + "\"outputs\":[{\"name\":\"OUTPUT0\",\"parameters\":{\"binary_data\":true}}]}");
    }
  }

  @Test
  void shouldAskForBinaryOutputsWhenNoneAreNamed() {
    HttpPayload payload = HttpPayload.of(new InferPayload("m", List.of(), List.of(), 1));

    assertThat(payload.body().getString(0, payload.headBytes()))
        .isEqualTo("{\"inputs\":[],\"parameters\":{\"binary_data_output\":true}}");
  }

  @Test
  void shouldFailWithTheServersErrorWhenARequestIsRefused() throws Exception {
    Lane lane =
        driver.lane(
            "bad",
            Payloads.synthetic("bad", driver.inputs("bad"), List.of(), 1, Payloads.Fill.ZEROS));

    assertThatThrownBy(() -> driver.send(lane, 1, 1, LIMIT)).hasMessage("HTTP 429: queue full");
  }
}
