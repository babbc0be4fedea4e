package dev.conveyor.verticles.bench.load;

import dev.conveyor.verticles.shm.RegionRef;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;

/**
 * A request in the protocol's HTTP form with binary tensors.
 *
 * @param body JSON head, then the tensors that come with it, in the order of the head
 * @param headBytes length of the head, as announced by {@code Inference-Header-Content-Length}
 */
public record HttpPayload(Buffer body, int headBytes) {

  public static final String HEAD_LENGTH_HEADER = "Inference-Header-Content-Length";

  /** Returns a request that brings its tensors. */
  public static HttpPayload of(InferPayload payload) {
    JsonArray inputs = new JsonArray();
    for (RequestTensor tensor : payload.inputs()) {
      inputs.add(input(tensor, new JsonObject().put("binary_data_size", tensor.data().length())));
    }
    Buffer body = head(payload, inputs).toBuffer();
    int headBytes = body.length();
    for (RequestTensor tensor : payload.inputs()) {
      body.appendBuffer(tensor.data());
    }
    return new HttpPayload(body, headBytes);
  }

  /**
   * Returns a request whose tensors are in system shared memory, one right after the other.
   *
   * @param region registered name
   * @param offset of the first tensor in it, in bytes
   */
  static HttpPayload inRegion(InferPayload payload, String region, long offset) {
    JsonArray inputs = new JsonArray();
    long at = offset;
    for (RequestTensor tensor : payload.inputs()) {
      int bytes = tensor.data().length();
      inputs.add(
          input(
              tensor,
              new JsonObject()
                  .put(RegionRef.REGION, region)
                  .put(RegionRef.OFFSET, at)
                  .put(RegionRef.BYTE_SIZE, bytes)));
      at += bytes;
    }
    Buffer body = head(payload, inputs).toBuffer();
    return new HttpPayload(body, body.length());
  }

  private static JsonObject input(RequestTensor tensor, JsonObject parameters) {
    JsonArray shape = new JsonArray();
    for (long dim : tensor.shape().toArray()) {
      shape.add(dim);
    }
    return new JsonObject()
        .put("name", tensor.name())
        .put("datatype", tensor.type().name())
        .put("shape", shape)
        .put("parameters", parameters);
  }

  private static JsonObject head(InferPayload payload, JsonArray inputs) {
    JsonObject head = new JsonObject().put("inputs", inputs);
    if (payload.outputs().isEmpty()) {
      head.put("parameters", new JsonObject().put("binary_data_output", true));
    } else {
      JsonArray outputs = new JsonArray();
      for (String name : payload.outputs()) {
        outputs.add(
            new JsonObject()
                .put("name", name)
                .put("parameters", new JsonObject().put("binary_data", true)));
      }
      head.put("outputs", outputs);
    }
    return head;
  }

  public static String uri(String model) {
    return "/v2/models/" + model + "/infer";
  }
}
