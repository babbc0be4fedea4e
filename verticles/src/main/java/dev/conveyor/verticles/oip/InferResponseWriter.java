package dev.conveyor.verticles.oip;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.shm.RegionRef;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes inference answers of the Open Inference Protocol over HTTP: JSON, with binary tensor data
 * behind it where the client asked for that. Thread-safe: no state.
 */
public final class InferResponseWriter {

  private static final JsonFactory JSON = new JsonFactory();

  private InferResponseWriter() {}

  /**
   * An encoded answer.
   *
   * @param head the JSON head
   * @param binary what follows it, in order; empty means that the head is the whole answer
   */
  public record Encoded(ByteBuffer head, List<ByteBuffer> binary) {

    /** Returns the bytes of head and binary data. */
    public int sizeBytes() {
      int size = head.remaining();
      for (int i = 0; i < binary.size(); i++) {
        size += binary.get(i).remaining();
      }
      return size;
    }
  }

  /**
   * Refuses outputs that the model does not have. Called before the request is sent into the line.
   */
  public static void requireKnownOutputs(ServedModel model, Map<String, InferHead.Output> outputs) {
    for (String name : outputs.keySet()) {
      if (model.signature().output(name).isEmpty()) {
        throw InferenceException.invalid(
            "unexpected inference output '%s' for model '%s'".formatted(name, model.name()));
      }
    }
  }

  /** Encodes an answer as the request asked for it. */
  public static Encoded encode(ServedModel model, InferHead request, InferenceResponse response) {
    List<ByteBuffer> binary = new ArrayList<>(2);
    try (ByteArrayBuilder out = new ByteArrayBuilder(256);
        JsonGenerator json = JSON.createGenerator(out)) {
      json.writeStartObject();
      if (request.id() != null) {
        json.writeStringField("id", request.id());
      }
      json.writeStringField("model_name", response.model());
      json.writeStringField("model_version", response.version());
      json.writeArrayFieldStart("outputs");
      List<Tensor> outputs = response.outputs();
      for (int i = 0; i < outputs.size(); i++) {
        InferHead.Output wanted = request.wanted(outputs.get(i).name());
        if (wanted != null) {
          write(json, model, outputs.get(i), wanted, request.binaryByDefault(), binary);
        }
      }
      json.writeEndArray();
      json.writeEndObject();
      json.flush();
      return new Encoded(ByteBuffer.wrap(out.toByteArray()), binary);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void write(
      JsonGenerator json,
      ServedModel model,
      Tensor output,
      InferHead.Output wanted,
      boolean binaryByDefault,
      List<ByteBuffer> binary)
      throws IOException {
    Tensor tensor = output;
    if (wanted.classification() > 0) {
      tensor =
          Classification.topK(
              output,
              wanted.classification(),
              model.labels().getOrDefault(output.name(), List.of()),
              model.signature().batches());
    }
    boolean asBinary = wanted.binary() == null ? binaryByDefault : wanted.binary();
    json.writeStartObject();
    json.writeStringField("name", tensor.name());
    json.writeStringField("datatype", tensor.type().name());
    json.writeArrayFieldStart("shape");
    for (int i = 0; i < tensor.shape().rank(); i++) {
      json.writeNumber(tensor.shape().dim(i));
    }
    json.writeEndArray();
    RegionRef region = wanted.region();
    if (region != null) {
      json.writeObjectFieldStart("parameters");
      json.writeStringField(RegionRef.REGION, region.region());
      json.writeNumberField(RegionRef.OFFSET, region.offset());
      json.writeNumberField(RegionRef.BYTE_SIZE, tensor.sizeBytes());
      json.writeEndObject();
    } else if (asBinary) {
      json.writeObjectFieldStart("parameters");
      json.writeNumberField("binary_data_size", tensor.sizeBytes());
      json.writeEndObject();
      binary.add(tensor.data().duplicate());
    } else {
      json.writeFieldName("data");
      JsonTensors.write(json, tensor);
    }
    json.writeEndObject();
  }
}
