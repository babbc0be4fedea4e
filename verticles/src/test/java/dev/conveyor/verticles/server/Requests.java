package dev.conveyor.verticles.server;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Requests for the models of {@link TestModels}. Stateless. */
public final class Requests {

  private Requests() {}

  /** Returns a JSON request with one row of FP32 for {@code INPUT0}. */
  public static JsonObject row(float... values) {
    JsonArray data = new JsonArray();
    for (float value : values) {
      data.add(value);
    }
    return of(input("INPUT0", 1, values.length).put("data", data));
  }

  /** Returns the head of a request with binary FP32 inputs of one row each. */
  public static JsonObject binary(int width, String... names) {
    JsonObject[] inputs = new JsonObject[names.length];
    for (int i = 0; i < names.length; i++) {
      inputs[i] =
          input(names[i], 1, width)
              .put("parameters", new JsonObject().put("binary_data_size", 4 * width));
    }
    return of(inputs).put("parameters", new JsonObject().put("binary_data_output", true));
  }

  public static JsonObject of(JsonObject... inputs) {
    JsonArray all = new JsonArray();
    for (JsonObject input : inputs) {
      all.add(input);
    }
    return new JsonObject().put("inputs", all);
  }

  /** Returns an FP32 input without its data. */
  public static JsonObject input(String name, long... shape) {
    JsonArray dims = new JsonArray();
    for (long dim : shape) {
      dims.add(dim);
    }
    return new JsonObject().put("name", name).put("datatype", "FP32").put("shape", dims);
  }

  /**
   * Returns the head of a request whose body is {@link #wholeBody}.
   *
   * @param more further headers, each with its end of line
   */
  public static String head(int width, String model, String more) {
    int json = binary(width, "INPUT0").toBuffer().length();
    return """
        POST /v2/models/%s/infer HTTP/1.1\r
        host: x\r
        %sinference-header-content-length: %d\r
        content-length: %d\r
        \r
        """
        .formatted(model, more, json, json + 4 * width);
  }

  /** Returns a body with one row in binary. */
  public static byte[] wholeBody(int width) {
    byte[] json = binary(width, "INPUT0").toBuffer().getBytes();
    return HttpCalls.concat(json, counting(1, width));
  }

  /** Returns {@code count} floats that count up from {@code first}, as bytes. */
  public static byte[] counting(float first, int count) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      bytes.putFloat(first + i);
    }
    return bytes.array();
  }

  public static float[] floats(byte[] bytes) {
    float[] values = new float[bytes.length / 4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Returns a tensor of one row of FP32 on the heap. */
  public static Tensor tensor(String name, float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return Tensor.of(name, DataType.FP32, Shape.of(1, values.length), bytes);
  }

  /** Returns the values of an FP32 tensor. */
  public static float[] floats(Tensor tensor) {
    float[] values = new float[tensor.sizeBytes() / 4];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.data().getFloat(4 * i);
    }
    return values;
  }
}
