package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.AbstractList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedMemoryProtocolTest {

  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final String STATUS = "/v2/systemsharedmemory/status";

  @Test
  void shouldWriteTensorsOneAfterTheOtherAndSayWhereEachIs() throws Exception {
    InferPayload first =
        new InferPayload("m", List.of(tensor("a", "1234"), tensor("b", "56")), List.of(), 1);
    InferPayload second = new InferPayload("m", List.of(tensor("a", "789")), List.of("out"), 1);
    Path object;
    try (SharedInputs inputs = SharedInputs.write(List.of(first, second))) {
      object = Path.of("/dev/shm", inputs.key());
      assertThat(Files.readString(object)).isEqualTo("123456789");
      assertThat(inputs.byteSize()).isEqualTo(9);

      JsonArray tensors = head(inputs.requests().get(0)).getJsonArray("inputs");
      assertThat(tensors.getJsonObject(0))
          .isEqualTo(
              new JsonObject()
                  .put("name", "a")
                  .put("datatype", "UINT8")
                  .put("shape", new JsonArray().add(4))
                  .put("parameters", place(inputs.region(), 0, 4)));
      assertThat(tensors.getJsonObject(1).getJsonObject("parameters"))
          .isEqualTo(place(inputs.region(), 4, 2));
      JsonObject head = head(inputs.requests().get(1));
      assertThat(head.getJsonArray("inputs").getJsonObject(0).getJsonObject("parameters"))
          .isEqualTo(place(inputs.region(), 6, 3));
      assertThat(head.getJsonArray("outputs").getJsonObject(0).getString("name")).isEqualTo("out");
    }
    assertThat(object).doesNotExist();
  }

  @Test
  void shouldLeaveNothingWhereTheTensorsCouldNotAllBeWritten(@TempDir Path dir) {
    List<InferPayload> endsEarly =
        new AbstractList<>() {
          @Override
          public InferPayload get(int index) {
            if (index == 1) {
              assertThat(dir).as("the first is written").isNotEmptyDirectory();
              throw new IllegalStateException("no more");
            }
            return new InferPayload("m", List.of(tensor("a", "1234")), List.of(), 1);
          }

          @Override
          public int size() {
            return 2;
          }
        };

    assertThatThrownBy(() -> SharedInputs.write(endsEarly, dir)).hasMessage("no more");

    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void shouldBeAnsweredFromARegionThatIsForgottenAfterwards(@TempDir Path dir) throws Exception {
    TestModels models = new TestModels(dir).identity("simple", 4);
    JsonObject limits = new JsonObject().put("max_shared_memory_regions", 1);
    try (TestServer server = TestServer.start(models, new JsonObject().put("limits", limits))) {
      HttpCalls http = server.http();
      try (LoadDriver driver = connect(server)) {
        Lane lane = lane(driver);
        driver.send(lane, 5, 2, LIMIT);

        assertThat(new JsonArray(http.get(STATUS).text())).hasSize(1);
        assertThat(answered(http)).isEqualTo(5);
        assertThatThrownBy(() -> lane(driver)).hasMessageContaining("max_shared_memory_regions=1");
      }
      assertThat(new JsonArray(http.get(STATUS).text())).isEmpty();
      server.assertIdle();
    }
  }

  private static LoadDriver connect(TestServer server) throws Exception {
    return LoadDriver.connect(
        LoadProtocols.find("http-shm"),
        new LoadTarget("127.0.0.1", server.httpPort(), 4, LIMIT, null));
  }

  private static Lane lane(LoadDriver driver) throws Exception {
    return driver.lane(
        "simple",
        Payloads.synthetic("simple", driver.inputs("simple"), List.of(), 1, Payloads.Fill.RANDOM));
  }

  private static int answered(HttpCalls http) {
    return http.get("/v2/models/simple/stats")
        .json()
        .getJsonArray("model_stats")
        .getJsonObject(0)
        .getInteger("inference_count");
  }

  private static RequestTensor tensor(String name, String bytes) {
    return new RequestTensor(name, DataType.UINT8, Shape.of(bytes.length()), Buffer.buffer(bytes));
  }

  private static JsonObject head(HttpPayload request) {
    assertThat(request.headBytes()).isEqualTo(request.body().length());
    return request.body().toJsonObject();
  }

  private static JsonObject place(String region, int offset, int bytes) {
    return new JsonObject()
        .put("shared_memory_region", region)
        .put("shared_memory_offset", offset)
        .put("shared_memory_byte_size", bytes);
  }
}
