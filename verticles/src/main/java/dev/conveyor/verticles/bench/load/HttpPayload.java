package dev.conveyor.verticles.bench.load;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;

/**
 * A request in the protocol's HTTP form with binary tensors.
 *
 * @param body JSON head, then the tensors in the order of the head
 * @param headBytes length of the head, as announced by {@code Inference-Header-Content-Length}
 */
public record HttpPayload(Buffer body, int headBytes) {

  public static final String HEAD_LENGTH_HEADER = "Inference-Header-Content-Length";

  public static HttpPayload of(InferPayload payload) {
    JsonArray inputs = new JsonArray();
    for (RequestTensor tensor : payload.inputs()) {
      JsonArray shape = new JsonArray();
      for (long dim : tensor.shape().toArray()) {
        shape.add(dim);
      }
      inputs.add(
          new JsonObject()
              .put("name", tensor.name())
              .put("datatype", tensor.type().name())
              .put("shape", shape)
              .put("parameters", new JsonObject().put("binary_data_size", tensor.data().length())));
    }
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
    Buffer body = head.toBuffer();
    int headBytes = body.length();
    for (RequestTensor tensor : payload.inputs()) {
      body.appendBuffer(tensor.data());
    }
    return new HttpPayload(body, headBytes);
  }

  public static String uri(String model) {
    return "/v2/models/" + model + "/infer";
  }
}
