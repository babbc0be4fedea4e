package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Answers of a simulated GPU that are larger than what a client has room for. */
final class LargeAnswersTest extends GpuServerCase {

  /** An answer of 1 MiB: a client takes 64 KiB before it reads. */
  private static final int WORDS = 1 << 18;

  private static final int OTHERS = 4;

  LargeAnswersTest() {
    super(1, "");
  }

  @BeforeEach
  void begin() {
    models
        .identity("kernel", DataType.INT32, "N", WORDS)
        .config(
            "kernel",
            """
            {"max_batch_size": 1, "instance_group": [{"kind": "KIND_GPU"}],
             "parameters": {"test_kernel": {"string_value": "on"}}}\
            """);
  }

  @Test
  void shouldKeepALargeAnswerUntilAClientThatIsSlowHasReadIt() {
    try (TestServer server = TestServer.start(models)) {
      HttpClientResponse slow = unread(server, client(server));

      for (int seed = 2; seed < 2 + OTHERS; seed++) {
        HttpCalls.Answer answer = server.http().infer("kernel", head(), bytes(words(seed)));
        assertThat(answer.binary()).isEqualTo(expected(seed));
      }

      Future<Buffer> body = slow.body();
      slow.resume();
      byte[] answer = TestServer.await(body).getBytes();
      byte[] data = Arrays.copyOfRange(answer, answer.length - 4 * WORDS, answer.length);
      assertThat(Arrays.mismatch(data, expected(1))).as("first byte that differs").isEqualTo(-1);
      server.assertIdle();
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldGiveTheMemoryOfAnAnswerBackWhenItsClientCallsItOff() {
    try (TestServer server = TestServer.start(models)) {
      TestServer.await(unread(server, client(server)).request().reset());
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldGiveTheMemoryOfAnAnswerBackWhenItsClientGoesAway() {
    try (TestServer server = TestServer.start(models)) {
      HttpClient client = client(server);
      unread(server, client);

      TestServer.await(client.close());
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  private static HttpClient client(TestServer server) {
    return server
        .vertx()
        .createHttpClient(
            new HttpClientOptions()
                .setProtocolVersion(HttpVersion.HTTP_2)
                .setHttp2ClearTextUpgrade(false));
  }

  /** Returns an answer of which the client takes no more than its window of 64 KiB. */
  private static HttpClientResponse unread(TestServer server, HttpClient client) {
    byte[] json = head().toBuffer().getBytes();
    return TestServer.await(
        client
            .request(HttpMethod.POST, server.httpPort(), "127.0.0.1", "/v2/models/kernel/infer")
            .compose(
                request ->
                    request
                        .putHeader("Inference-Header-Content-Length", "" + json.length)
                        .send(Buffer.buffer(HttpCalls.concat(json, bytes(words(1))))))
            .map(response -> response.exceptionHandler(lost -> {}).pause()));
  }

  private static int[] words(int seed) {
    int[] words = new int[WORDS];
    Arrays.setAll(words, i -> seed * WORDS + i);
    return words;
  }

  private static byte[] expected(int seed) {
    return bytes(TestKernel.expected(words(seed), WORDS));
  }

  private static byte[] bytes(int[] words) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * words.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(words);
    return bytes.array();
  }

  private static JsonObject head() {
    JsonObject input =
        new JsonObject()
            .put("name", "INPUT0")
            .put("datatype", "INT32")
            .put("shape", new JsonArray().add(1).add(WORDS))
            .put("parameters", new JsonObject().put("binary_data_size", 4 * WORDS));
    return new JsonObject()
        .put("parameters", new JsonObject().put("binary_data_output", true))
        .put("inputs", new JsonArray().add(input));
  }
}
