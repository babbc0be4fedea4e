package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A whole server on a simulated GPU, with a model that takes rows of any length. */
final class VaryingShapesTest extends GpuServerCase {

  private static final int REQUESTS = 120;
  private static final String UNLOAD = "/v2/repository/models/rows/unload";
  private static final String LOAD = "/v2/repository/models/rows/load";

  private final Random random = new Random(1);

  VaryingShapesTest() {
    super(1, "jitter_percent=200 device_bytes=67108864");
  }

  @BeforeEach
  void begin() {
    models
        .identity("rows", DataType.INT32, "N", "L")
        .config(
            "rows",
            """
            {"max_batch_size": 8, "dynamic_batching": {"max_queue_delay_microseconds": 2000},
             "instance_group": [{"kind": "KIND_GPU"}],
             "parameters": {"test_kernel": {"string_value": "on"}}}\
            """);
  }

  /** A request and what it is to be answered: each row by itself. */
  private record Rows(int count, int length, int[] words) {

    JsonObject head() {
      JsonObject input =
          Requests.input("INPUT0", count, length)
              .put("datatype", "INT32")
              .put("parameters", new JsonObject().put("binary_data_size", bytes(words).length));
      return Requests.of(input).put("parameters", new JsonObject().put("binary_data_output", true));
    }

    byte[] expected() {
      int[] all = new int[words.length];
      for (int row = 0; row < count; row++) {
        int[] in = new int[length];
        System.arraycopy(words, row * length, in, 0, length);
        System.arraycopy(TestKernel.expected(in, length), 0, all, row * length, length);
      }
      return bytes(all);
    }

    static byte[] bytes(int[] words) {
      ByteBuffer bytes =
          ByteBuffer.allocate(Integer.BYTES * words.length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asIntBuffer().put(words);
      return bytes.array();
    }
  }

  /** Few lengths, so that some requests share batches, and now and then one beyond all others. */
  private Rows rows(int number) {
    int length = number % 40 == 39 ? 1000 * number : 1 << random.nextInt(10);
    int count = 1 + random.nextInt(3);
    return new Rows(count, length, random.ints((long) count * length).toArray());
  }

  private void askAll(HttpCalls http) {
    List<Rows> asked = new ArrayList<>();
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      Rows rows = rows(i);
      asked.add(rows);
      answers.add(http.inferAsync("rows", rows.head(), Rows.bytes(rows.words())));
    }
    for (int i = 0; i < REQUESTS; i++) {
      Answer answer = answers.get(i).join();
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(answer.output(0).getJsonArray("shape"))
          .isEqualTo(new JsonArray().add(asked.get(i).count()).add(asked.get(i).length()));
      assertThat(answer.binary()).as("answer %d", i).isEqualTo(asked.get(i).expected());
    }
  }

  @Test
  void shouldAnswerRequestsOfEveryLengthAndLeaveTheLedgerAsItWas() {
    try (TestServer server = TestServer.start(models)) {
      MemoryBudget ledger = server.server().gpus().all().get(0).budget();
      Map<String, Long> loaded = ledger.holders();
      assertThat(loaded).containsKeys("rows/1/weights", "rows/1/slabs");

      askAll(server.http());
      server.assertIdle();
      assertThat(ledger.reservedBytes())
          .as("slots have grown, and the ledger knows")
          .isEqualTo(gpus.takenBytes(0))
          .isGreaterThan(loaded.values().stream().mapToLong(Long::longValue).sum());

      server.server().gpus().all().get(0).trim();
      assertThat(ledger.holders()).as("an idle GPU keeps nothing of it").isEqualTo(loaded);
      assertThat(ledger.reservedBytes()).isEqualTo(gpus.takenBytes(0));
      askAll(server.http());
      server.assertIdle();

      assertThat(server.http().post(UNLOAD, "{}").status()).isEqualTo(200);
      assertThat(gpus.takenBytes(0)).isZero();
      assertThat(ledger.reservedBytes()).isZero();

      assertThat(server.http().post(LOAD, "{}").status()).isEqualTo(200);
      assertThat(ledger.holders()).isEqualTo(loaded);
      askAll(server.http());
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
