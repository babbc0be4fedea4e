package dev.conveyor.verticles.bus;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.oip.BinaryData;
import dev.conveyor.verticles.oip.InferHead;
import dev.conveyor.verticles.oip.InferRequestParser;
import dev.conveyor.verticles.oip.InferResponseWriter;
import dev.conveyor.verticles.oip.InferResponseWriter.Encoded;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The binary form of requests and answers on the event bus, the same in one JVM and between two: a
 * 4-byte big-endian length, a JSON head of the Open Inference Protocol with {@code model_name} and
 * optionally {@code model_version} in it, and the raw tensor data behind it.
 *
 * <p>Thread-safe: no state.
 */
final class BusCodec {

  private static final int PREFIX_BYTES = Integer.BYTES;

  private BusCodec() {}

  /** Encodes a request with binary tensors that asks for binary outputs. */
  static Buffer request(String model, String version, List<Tensor> inputs, JsonObject parameters) {
    JsonArray array = new JsonArray();
    for (Tensor input : inputs) {
      array.add(
          new JsonObject()
              .put("name", input.name())
              .put("datatype", input.type().name())
              .put("shape", dims(input))
              .put("parameters", new JsonObject().put("binary_data_size", input.sizeBytes())));
    }
    JsonObject head =
        new JsonObject()
            .put("model_name", model)
            .put("model_version", version)
            .put("parameters", parameters.copy().put("binary_data_output", true))
            .put("inputs", array);
    Buffer encoded = head(head.toBuffer());
    for (Tensor input : inputs) {
      byte[] bytes = new byte[input.sizeBytes()];
      input.data().get(0, bytes);
      encoded.appendBytes(bytes);
    }
    return encoded;
  }

  /** Parses a request; the tensors view the buffer's bytes. */
  static InferHead parse(Buffer message, InferRequestParser parser) {
    byte[] bytes = message.getBytes();
    int head = headLength(message);
    int binary = PREFIX_BYTES + head;
    return parser.parse(
        bytes,
        PREFIX_BYTES,
        head,
        BinaryData.heap(ByteBuffer.wrap(bytes, binary, bytes.length - binary)));
  }

  /** Encodes an answer as the request asked for it. */
  static Buffer response(ServedModel model, InferHead request, InferenceResponse response) {
    Encoded encoded = InferResponseWriter.encode(model, request, response);
    Buffer buffer = head(Buffer.buffer(encoded.head().array()));
    for (ByteBuffer part : encoded.binary()) {
      byte[] bytes = new byte[part.remaining()];
      part.get(bytes);
      buffer.appendBytes(bytes);
    }
    return buffer;
  }

  /** Parses an answer that was asked for as binary data. */
  static InferenceResponse parseResponse(Buffer message, InferRequestParser parser) {
    // An answer's outputs have the form of a request's inputs, so one parser reads both.
    JsonObject head =
        message.slice(PREFIX_BYTES, PREFIX_BYTES + headLength(message)).toJsonObject();
    JsonObject asRequest = new JsonObject().put("inputs", head.getJsonArray("outputs"));
    byte[] bytes = asRequest.toBuffer().getBytes();
    int binary = PREFIX_BYTES + headLength(message);
    ByteBuffer data = ByteBuffer.wrap(message.getBytes(binary, message.length()));
    List<Tensor> outputs =
        new ArrayList<>(parser.parse(bytes, 0, bytes.length, BinaryData.heap(data)).inputs());
    return new InferenceResponse(
        head.getString("model_name"), head.getString("model_version"), outputs);
  }

  private static Buffer head(Buffer json) {
    return Buffer.buffer(PREFIX_BYTES + json.length()).appendInt(json.length()).appendBuffer(json);
  }

  private static int headLength(Buffer message) {
    int length = message.length() < PREFIX_BYTES ? -1 : message.getInt(0);
    if (length < 0 || length > message.length() - PREFIX_BYTES) {
      throw InferenceException.invalid(
          "a bus message is a 4-byte length, a JSON head of that length, and tensor data; this one"
              + " has "
              + message.length()
              + " bytes and a head length of "
              + length);
    }
    return length;
  }

  private static JsonArray dims(Tensor tensor) {
    JsonArray dims = new JsonArray();
    for (long dim : tensor.shape().toArray()) {
      dims.add(dim);
    }
    return dims;
  }
}
