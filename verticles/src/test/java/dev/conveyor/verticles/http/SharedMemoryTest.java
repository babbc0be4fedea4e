package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.shm.ShmFile;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The system shared memory extension over HTTP. */
final class SharedMemoryTest extends ServerCase {

  private static final String PATH = "/v2/systemsharedmemory";

  /** Copied on a worker. */
  private static final int LONG = 300_000;

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("simple", 4)
            .identity("free", DataType.FP32, "batch", "width")
            .identity("text", DataType.BYTES, "batch", 1)
            .sum("sum", 4);
    serve(
        models,
        new JsonObject()
            .put(
                "limits",
                new JsonObject()
                    .put("max_shared_memory_regions", 3)
                    .put("max_message_bytes", 4 << 20)));
  }

  @AfterEach
  void unregisterAll() {
    assertThat(http.post(PATH + "/unregister", "").status()).isEqualTo(200);
  }

  @Test
  void shouldOfferTheExtension() {
    assertThat(http.get("/v2").json().getJsonArray("extensions")).contains("system_shared_memory");
  }

  @Test
  void shouldRegisterListAndUnregister() {
    try (ShmFile object = ShmFile.of(new byte[32])) {
      JsonObject part =
          new JsonObject().put("key", object.key()).put("offset", 8).put("byte_size", 16);
      assertThat(register("a b", part).status()).isEqualTo(200);
      JsonObject listed = part.copy().put("name", "a b");
      JsonArray all = new JsonArray().add(listed);
      assertThat(new JsonArray(http.get(PATH + "/status").text())).isEqualTo(all);
      assertThat(new JsonArray(http.get(PATH + "/region/a%20b/status").text())).isEqualTo(all);
      Answer again = register("a b", part);
      assertThat(again.status()).isEqualTo(409);
      assertThat(again.error()).isEqualTo("shared memory region 'a b' already in manager");
      assertThat(http.post(PATH + "/region/a%20b/unregister", "").status()).isEqualTo(200);
      Answer unknown = http.get(PATH + "/region/a%20b/status");
      assertThat(unknown.status()).isEqualTo(404);
      assertThat(unknown.error()).isEqualTo("Unable to find system shared memory region: 'a b'");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'key': 'k'}                                      | no 'byte_size' field",
        "{'byte_size': 4}                                  | no 'key' field",
        "{'key': 5, 'byte_size': 4}                        | no 'key' field",
        "{'key': 'k', 'byte_size': 1.5}                    | must be an integer",
        "{'key': 'k', 'byte_size': 18446744073709551617}   | must be an integer",
        "{'key': '../etc/passwd', 'byte_size': 4}          | Unable to open shared memory region",
        "[]                                                | failed to parse",
      })
  void shouldSayWhatIsWrongWithARegistration(String body, String expected) {
    Answer answer = http.post(PATH + "/region/r/register", body.replace('\'', '"'));
    assertThat(answer.status()).as(answer::text).isEqualTo(400);
    assertThat(answer.error()).contains(expected);
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 10_000, LONG})
  void shouldTakeInputsFromAndWriteOutputsToRegions(int width) {
    byte[] data = Requests.counting(1, width);
    int bytes = data.length;
    try (ShmFile in = ShmFile.of(HttpCalls.concat(new byte[3], data));
        ShmFile out = ShmFile.of(new byte[bytes + 8])) {
      register("in", in, bytes + 3);
      register("out", out, bytes + 8);
      Answer answer =
          http.infer(
              "free",
              Requests.of(input("INPUT0", "in", 3, bytes, 1, width))
                  .put("outputs", output("out", 5, bytes + 3)));
      assertThat(answer.status()).as(answer::text).isEqualTo(200);
      JsonObject output = answer.output(0);
      assertThat(output.containsKey("data")).isFalse();
      assertThat(answer.binary()).isEmpty();
      assertThat(output.getJsonArray("shape")).isEqualTo(new JsonArray().add(1).add(width));
      assertThat(output.getJsonObject("parameters")).isEqualTo(region("out", 5, bytes));
      assertThat(out.bytes())
          .isEqualTo(HttpCalls.concat(new byte[5], HttpCalls.concat(data, new byte[3])));
    }
  }

  @Test
  void shouldMixTensorsInRegionsWithThoseThatAreSent() {
    try (ShmFile in = ShmFile.of(Requests.counting(1, 4))) {
      register("in", in, 16);
      JsonObject head = Requests.binary(4, "B");
      head.getJsonArray("inputs").add(0, input("A", "in", 0, 16, 1, 4));
      for (int i = 0; i < 2; i++) { // nothing of the first may be remembered for the second
        in.write(0, Requests.counting(10 * i, 4));
        Answer answer = http.infer("sum", head, Requests.counting(100, 4));
        assertThat(answer.status()).as(answer::text).isEqualTo(200);
        assertThat(Requests.floats(answer.binary()))
            .containsExactly(100 + 10 * i, 102 + 10 * i, 104 + 10 * i, 106 + 10 * i);
      }
    }
  }

  @Test
  void shouldWriteEveryAnswerWhenTheSameRequestComesAgain() {
    try (ShmFile out = ShmFile.of(new byte[16])) {
      register("out", out, 16);
      JsonObject head = Requests.binary(4, "INPUT0").put("outputs", output("out", 0, 16));
      for (int i = 0; i < 3; i++) {
        byte[] data = Requests.counting(i, 4);
        assertThat(http.infer("simple", head, data).status()).isEqualTo(200);
        assertThat(out.bytes()).isEqualTo(data);
      }
    }
  }

  @Test
  void shouldCarryStringsWithTheirLengths() {
    byte[] text = {3, 0, 0, 0, 'a', 'b', 'c'};
    try (ShmFile both = ShmFile.of(Arrays.copyOf(text, 32))) {
      register("both", both, 32);
      JsonObject input = input("INPUT0", "both", 0, text.length, 1, 1).put("datatype", "BYTES");
      JsonObject request = Requests.of(input).put("outputs", output("both", 16, 16));
      Answer answer = http.infer("text", request);
      assertThat(answer.status()).as(answer::text).isEqualTo(200);
      assertThat(Arrays.copyOfRange(both.bytes(), 16, 23)).isEqualTo(text);

      both.write(0, ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(4).array());
      assertThat(http.infer("text", request).status()).isEqualTo(400); // it says more than is there
    }
  }

  @Test
  void shouldFailOnlyTheRequestWhoseRegionWasCutShort() {
    byte[] data = Requests.counting(1, LONG);
    try (ShmFile in = ShmFile.of(data);
        ShmFile whole = ShmFile.of(Requests.counting(1, 4))) {
      register("in", in, data.length);
      register("whole", whole, 16);
      in.truncate(data.length - 1);
      Answer cut = http.infer("free", Requests.of(input("INPUT0", "in", 0, data.length, 1, LONG)));
      assertThat(cut.status()).isEqualTo(400);
      assertThat(cut.error())
          .isEqualTo("shared memory region 'in' has become shorter than it was registered");
      Answer other = http.infer("simple", Requests.of(input("INPUT0", "whole", 0, 16, 1, 4)));
      assertThat(other.status()).isEqualTo(200);
    }
  }

  @Test
  void shouldFailAnAnswerThatDoesNotFit() {
    try (ShmFile out = ShmFile.of(new byte[32])) {
      register("out", out, 32);
      JsonObject request = Requests.row(1, 2, 3, 4);
      Answer small = http.infer("simple", request.copy().put("outputs", output("out", 0, 15)));
      assertThat(small.status()).isEqualTo(400);
      assertThat(small.error())
          .isEqualTo(
              "shared memory size specified with the request for output 'OUTPUT0' (15 bytes)"
                  + " should be at least 16 bytes to hold the results");
      out.truncate(8);
      Answer cut = http.infer("simple", request.copy().put("outputs", output("out", 0, 16)));
      assertThat(cut.status()).isEqualTo(400);
      assertThat(out.bytes()).hasSize(8);
    }
  }

  @Test
  void shouldFinishRequestsWhoseRegionsAreUnregisteredMeanwhile() {
    byte[] data = Requests.counting(1, LONG);
    try (ShmFile in = ShmFile.of(data);
        ShmFile out = ShmFile.of(new byte[data.length])) {
      register("in", in, data.length);
      register("out", out, data.length);
      JsonObject request =
          Requests.of(input("INPUT0", "in", 0, data.length, 1, LONG))
              .put("outputs", output("out", 0, data.length));
      CompletableFuture<Answer> answer = http.inferAsync("free", request, new byte[0]);
      assertThat(http.post(PATH + "/unregister", "").status()).isEqualTo(200);
      // It came before or after: there is no third outcome.
      if (answer.join().status() == 200) {
        assertThat(out.bytes()).isEqualTo(data);
      } else {
        assertThat(answer.join().status()).isEqualTo(404);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'shared_memory_region': 'none', 'shared_memory_byte_size': 16}  | 404 | Unable to find",
        "{'shared_memory_region': 'in'}                                   | 400 | along with",
        "{'shared_memory_byte_size': 16}                                  | 400 | without",
        "{'shared_memory_offset': 0}                                      | 400 | without",
        "{'shared_memory_region': 1, 'shared_memory_byte_size': 16}       | 400 | a string",
        "{'shared_memory_region': 'in', 'shared_memory_byte_size': '16'}  | 400 | whole number",
        "{'shared_memory_region': 'in', 'shared_memory_byte_size': -16}   | 400 | whole number",
        "{'shared_memory_region': 'in', 'shared_memory_byte_size': 12}    | 400 | needs 16",
        "{'shared_memory_region': 'in', 'shared_memory_byte_size': 16, 'shared_memory_offset': 1} | 400 | Invalid offset + byte size",
        "{'shared_memory_region': 'in', 'shared_memory_byte_size': 16, 'binary_data_size': 16} | 400 | more than one",
      })
  void shouldRefuseTensorsThatAreNotInTheirRegion(String parameters, int status, String expected) {
    try (ShmFile in = ShmFile.of(new byte[16])) {
      register("in", in, 16);
      JsonObject input =
          Requests.input("INPUT0", 1, 4)
              .put("parameters", new JsonObject(parameters.replace('\'', '"')));
      Answer answer = http.infer("simple", Requests.of(input));
      assertThat(answer.status()).as(answer::text).isEqualTo(status);
      assertThat(answer.error()).contains(expected);
    }
  }

  @Test
  void shouldRefuseMoreThanAMessageMayHoldAndClassesInARegion() {
    int bytes = (4 << 20) + 4;
    try (ShmFile in = ShmFile.of(new byte[bytes])) {
      register("in", in, bytes);
      Answer large = http.infer("free", Requests.of(input("INPUT0", "in", 0, bytes, 1, bytes / 4)));
      assertThat(large.status()).isEqualTo(413);
      JsonArray classes = output("in", 0, 16);
      classes.getJsonObject(0).getJsonObject("parameters").put("classification", 1);
      Answer refused = http.infer("simple", Requests.row(1, 2, 3, 4).put("outputs", classes));
      assertThat(refused.status()).isEqualTo(400);
      assertThat(refused.error()).contains("classification");
    }
  }

  private static Answer register(String name, JsonObject body) {
    return http.post(PATH + "/region/" + name.replace(" ", "%20") + "/register", body.encode());
  }

  private static void register(String name, ShmFile object, int bytes) {
    Answer answer =
        register(name, new JsonObject().put("key", object.key()).put("byte_size", bytes));
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
  }

  private static JsonObject region(String region, int offset, int bytes) {
    return new JsonObject()
        .put("shared_memory_region", region)
        .put("shared_memory_offset", offset)
        .put("shared_memory_byte_size", bytes);
  }

  private static JsonObject input(
      String name, String region, int offset, int bytes, long... shape) {
    return Requests.input(name, shape).put("parameters", region(region, offset, bytes));
  }

  private static JsonArray output(String region, int offset, int bytes) {
    return new JsonArray()
        .add(
            new JsonObject()
                .put("name", "OUTPUT0")
                .put("parameters", region(region, offset, bytes)));
  }
}
