package dev.conveyor.verticles.oip;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Tensor data as JSON arrays, flat or nested in the shape of the tensor, both ways (Open Inference
 * Protocol, "Tensor Data"). Thread-safe: no state.
 */
final class JsonTensors {

  private static final BigInteger UINT64_MAX =
      BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);

  private JsonTensors() {}

  /**
   * Reads the array at which {@code json} stands.
   *
   * @param elements the element count that the shape promises
   */
  static ByteBuffer read(JsonParser json, String input, DataType type, long elements)
      throws IOException {
    if (type == DataType.FP16 || type == DataType.BF16) {
      throw InferenceException.invalid(
          "input '%s': %s has no JSON form; send it as binary data".formatted(input, type));
    }
    if (json.currentToken() != JsonToken.START_ARRAY) {
      throw InferenceException.invalid("input '" + input + "': data must be an array");
    }
    Sink sink = new Sink(input, type, elements);
    int depth = 1;
    while (depth > 0) {
      JsonToken token = json.nextToken();
      if (token == JsonToken.START_ARRAY) {
        depth++;
      } else if (token == JsonToken.END_ARRAY) {
        depth--;
      } else {
        sink.add(json, token);
      }
    }
    return sink.finish();
  }

  /** Writes the data of a tensor as one flat array. */
  static void write(JsonGenerator json, Tensor tensor) throws IOException {
    ByteBuffer data = tensor.data().duplicate().order(ByteOrder.LITTLE_ENDIAN).rewind();
    json.writeStartArray();
    while (data.hasRemaining()) {
      writeElement(json, tensor, data);
    }
    json.writeEndArray();
  }

  private static void writeElement(JsonGenerator json, Tensor tensor, ByteBuffer data)
      throws IOException {
    switch (tensor.type()) {
      case BOOL -> json.writeBoolean(data.get() != 0);
      case UINT8 -> json.writeNumber(data.get() & 0xff);
      case UINT16 -> json.writeNumber(data.getShort() & 0xffff);
      case UINT32 -> json.writeNumber(data.getInt() & 0xffffffffL);
      case UINT64 -> json.writeNumber(new BigInteger(Long.toUnsignedString(data.getLong())));
      case INT8 -> json.writeNumber(data.get());
      case INT16 -> json.writeNumber(data.getShort());
      case INT32 -> json.writeNumber(data.getInt());
      case INT64 -> json.writeNumber(data.getLong());
      case FP32 -> json.writeNumber(data.getFloat());
      case FP64 -> json.writeNumber(data.getDouble());
      case BYTES -> {
        byte[] bytes = new byte[data.getInt()];
        data.get(bytes);
        json.writeString(new String(bytes, StandardCharsets.UTF_8));
      }
      case FP16, BF16 ->
          throw InferenceException.invalid(
              "output '%s': %s has no JSON form; ask for binary data"
                  .formatted(tensor.name(), tensor.type()));
    }
  }

  /** Collects elements in little-endian form and counts them. */
  private static final class Sink {

    private final String input;
    private final DataType type;
    private final long elements;
    private ByteBuffer bytes;
    private long count;

    Sink(String input, DataType type, long elements) {
      this.input = input;
      this.type = type;
      this.elements = elements;
      long expected = Math.min(1 << 20, elements * Math.max(16, type.sizeBytes()));
      this.bytes = ByteBuffer.allocate((int) expected).order(ByteOrder.LITTLE_ENDIAN);
    }

    void add(JsonParser json, JsonToken token) throws IOException {
      if (++count > elements) {
        throw wrongCount("more than ");
      }
      switch (type) {
        case BOOL -> room(1).put((byte) (bool(json, token) ? 1 : 0));
        case UINT8 -> room(1).put((byte) integer(json, token, 0, 0xff));
        case INT8 -> room(1).put((byte) integer(json, token, Byte.MIN_VALUE, Byte.MAX_VALUE));
        case UINT16 -> room(2).putShort((short) integer(json, token, 0, 0xffff));
        case INT16 ->
            room(2).putShort((short) integer(json, token, Short.MIN_VALUE, Short.MAX_VALUE));
        case UINT32 -> room(4).putInt((int) integer(json, token, 0, 0xffffffffL));
        case INT32 ->
            room(4).putInt((int) integer(json, token, Integer.MIN_VALUE, Integer.MAX_VALUE));
        case UINT64 -> room(8).putLong(unsignedLong(json, token));
        case INT64 -> room(8).putLong(integer(json, token, Long.MIN_VALUE, Long.MAX_VALUE));
        case FP32 -> room(4).putFloat((float) number(json, token));
        case FP64 -> room(8).putDouble(number(json, token));
        case BYTES -> string(json, token);
        case FP16, BF16 -> throw new IllegalStateException(type + " was refused before");
      }
    }

    ByteBuffer finish() {
      if (count != elements) {
        throw wrongCount("");
      }
      return bytes.flip();
    }

    private InferenceException wrongCount(String more) {
      return InferenceException.invalid(
          "input '%s': data has %s%d elements, its shape needs %d"
              .formatted(input, more, more.isEmpty() ? count : elements, elements));
    }

    private void string(JsonParser json, JsonToken token) throws IOException {
      if (token != JsonToken.VALUE_STRING) {
        throw wrongElement(json, "a string");
      }
      byte[] utf8 = json.getText().getBytes(StandardCharsets.UTF_8);
      room(Integer.BYTES + utf8.length).putInt(utf8.length).put(utf8);
    }

    private boolean bool(JsonParser json, JsonToken token) throws IOException {
      return switch (token) {
        case VALUE_TRUE -> true;
        case VALUE_FALSE -> false;
        case VALUE_NUMBER_INT -> integer(json, token, 0, 1) == 1;
        default -> throw wrongElement(json, "true or false");
      };
    }

    private double number(JsonParser json, JsonToken token) throws IOException {
      if (token != JsonToken.VALUE_NUMBER_FLOAT && token != JsonToken.VALUE_NUMBER_INT) {
        throw wrongElement(json, "a number");
      }
      return json.getDoubleValue();
    }

    private long integer(JsonParser json, JsonToken token, long min, long max) throws IOException {
      if (token != JsonToken.VALUE_NUMBER_INT
          || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
        throw wrongElement(json, "an integer from " + min + " to " + max);
      }
      long value = json.getLongValue();
      if (value < min || value > max) {
        throw wrongElement(json, "an integer from " + min + " to " + max);
      }
      return value;
    }

    private long unsignedLong(JsonParser json, JsonToken token) throws IOException {
      if (token != JsonToken.VALUE_NUMBER_INT) {
        throw wrongElement(json, "an unsigned integer");
      }
      BigInteger value = json.getBigIntegerValue();
      if (value.signum() < 0 || value.compareTo(UINT64_MAX) > 0) {
        throw wrongElement(json, "an unsigned 64-bit integer");
      }
      return value.longValue();
    }

    private InferenceException wrongElement(JsonParser json, String expected) throws IOException {
      String found = String.valueOf(json.getText());
      return InferenceException.invalid(
          "input '%s': element %d must be %s for %s, was %s"
              .formatted(
                  input,
                  count - 1,
                  expected,
                  type,
                  found.length() > 40 ? found.substring(0, 40) + "..." : found));
    }

    private ByteBuffer room(int more) {
      if (bytes.remaining() < more) {
        int size =
            Math.max(bytes.position() + more, (int) Math.min(1L << 30, 2L * bytes.capacity()));
        bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN).put(bytes.flip());
      }
      return bytes;
    }
  }
}
