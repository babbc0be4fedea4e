package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Every data type through a whole server, as JSON and as binary data. */
final class InferDataTypesTest extends ServerCase {

  private static final JsonObject BINARY_OUT = new JsonObject().put("binary_data_output", true);

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir);
    for (DataType type : DataType.values()) {
      models.identity("of_" + type, type, "n", "m");
    }
    models.identity("scalar", DataType.INT64);
    serve(models);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "BOOL   | [true, false, true, true]",
        "UINT8  | [0, 1, 128, 255]",
        "UINT16 | [0, 1, 32768, 65535]",
        "UINT32 | [0, 1, 2147483648, 4294967295]",
        "UINT64 | [0, 1, 9223372036854775808, 18446744073709551615]",
        "INT8   | [-128, -1, 0, 127]",
        "INT16  | [-32768, -1, 0, 32767]",
        "INT32  | [-2147483648, -1, 0, 2147483647]",
        "INT64  | [-9223372036854775808, -1, 0, 9223372036854775807]",
        "FP32   | [-1.5, 0.0, 3.4028235E38, 1.4E-45]",
        "FP64   | [-1.5, 0.1, 1.7976931348623157E308, 4.9E-324]",
        "BYTES  | ['', 'plain', 'ä€😀', 'a\\u0000b']"
      })
  void shouldGiveBackTheValuesThatCameAsJson(DataType type, String values) {
    JsonArray data = new JsonArray(values.replace('\'', '"'));
    Answer answer = http.infer("of_" + type, request(type, new JsonArray().add(2).add(2), data));

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.header("Content-Type")).isEqualTo("application/json");
    assertThat(answer.output(0).getString("datatype")).isEqualTo(type.name());
    assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[2,2]"));
    assertThat(answer.data().encode()).isEqualTo(data.encode());
  }

  @ParameterizedTest
  @EnumSource(DataType.class)
  void shouldGiveBackTheBytesThatCameAsBinaryData(DataType type) {
    byte[] bytes =
        type == DataType.BYTES ? strings("", "x", "ä", "yz") : some(4 * type.sizeBytes());
    Answer answer =
        http.infer("of_" + type, binaryRequest(type, 2, 2, bytes.length, BINARY_OUT), bytes);

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.header("Content-Type")).isEqualTo("application/octet-stream");
    assertThat(answer.output(0).getJsonObject("parameters"))
        .isEqualTo(new JsonObject().put("binary_data_size", bytes.length));
    assertThat(answer.output(0).containsKey("data")).isFalse();
    assertThat(answer.binary()).isEqualTo(bytes);
  }

  @ParameterizedTest
  @EnumSource(DataType.class)
  void shouldServeTensorsWithoutElements(DataType type) {
    JsonObject head = binaryRequest(type, 3, 0, 0, BINARY_OUT);
    Answer answer = http.infer("of_" + type, head);

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[3,0]"));
    assertThat(answer.binary()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(names = {"FP16", "BF16"})
  void shouldRefuseJsonForTypesThatHaveNone(DataType type) {
    JsonArray shape = new JsonArray("[1,1]");
    Answer in = http.infer("of_" + type, request(type, shape, new JsonArray("[1.0]")));
    assertThat(in.status()).isEqualTo(400);
    assertThat(in.error()).contains(type.name()).contains("binary");

    Answer out = http.infer("of_" + type, binaryRequest(type, 1, 1, 2, new JsonObject()), some(2));
    assertThat(out.status()).isEqualTo(400);
    assertThat(out.error()).contains("OUTPUT0").contains(type.name()).contains("binary");
  }

  @Test
  void shouldServeScalars() {
    JsonObject head = request(DataType.INT64, new JsonArray(), new JsonArray("[-7]"));
    Answer answer = http.infer("scalar", head);
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.output(0).getJsonArray("shape")).isEmpty();
    assertThat(answer.data()).isEqualTo(new JsonArray("[-7]"));
  }

  @Test
  void shouldReadNestedArraysAndDataBeforeItsType() {
    String nested =
        """
        {"inputs":[{"data":[[1,2,3],[4,5,18446744073709551615]],"name":"INPUT0",
         "shape":[2,3],"datatype":"UINT64"}]}""";
    Answer answer = http.post("/v2/models/of_UINT64/infer", nested);
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.data().encode()).isEqualTo("[1,2,3,4,5,18446744073709551615]");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "UINT8  | [256]                  | 255",
        "INT8   | [-129]                 | -128",
        "UINT32 | [-1]                   | 4294967295",
        "INT32  | [2147483648]           | 2147483647",
        "UINT64 | [18446744073709551616] | unsigned",
        "INT64  | [9223372036854775808]  | integer",
        "INT16  | [1.5]                  | integer",
        "FP32   | ['x']                  | number",
        "FP32   | [null]                 | number",
        "FP32   | [{}]                   | number",
        "BOOL   | [2]                    | integer",
        "BOOL   | ['true']               | true or false",
        "BYTES  | [1]                    | string",
        "FP32   | []                     | shape needs 1",
        "FP32   | [1,2]                  | shape needs 1",
        "FP32   | 1                      | array"
      })
  void shouldRefuseValuesThatDoNotFitTheirType(DataType type, String data, String expected) {
    String body =
        "{\"inputs\":[{\"name\":\"INPUT0\",\"datatype\":\"%s\",\"shape\":[1,1],\"data\":%s}]}"
            .formatted(type, data.replace('\'', '"'));
    Answer answer = http.post("/v2/models/of_" + type + "/infer", body);
    assertThat(answer.status()).as(answer::text).isEqualTo(400);
    assertThat(answer.error()).contains("INPUT0").contains(expected);
  }

  private static JsonObject request(DataType type, JsonArray shape, JsonArray data) {
    return request(input(type, shape).put("data", data), new JsonObject());
  }

  private static JsonObject binaryRequest(
      DataType type, int rows, int columns, int bytes, JsonObject parameters) {
    JsonObject size = new JsonObject().put("binary_data_size", bytes);
    JsonObject input = input(type, new JsonArray().add(rows).add(columns));
    return request(input.put("parameters", size), parameters);
  }

  private static JsonObject request(JsonObject input, JsonObject parameters) {
    return new JsonObject().put("parameters", parameters).put("inputs", new JsonArray().add(input));
  }

  private static JsonObject input(DataType type, JsonArray shape) {
    return new JsonObject().put("name", "INPUT0").put("datatype", type.name()).put("shape", shape);
  }

  private static byte[] some(int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) (i % 2); // valid booleans, and something in every other type
    }
    return bytes;
  }

  private static byte[] strings(String... values) {
    ByteBuffer buffer = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
    for (String value : values) {
      byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
      buffer.putInt(utf8.length).put(utf8);
    }
    byte[] bytes = new byte[buffer.flip().remaining()];
    buffer.get(bytes);
    return bytes;
  }
}
