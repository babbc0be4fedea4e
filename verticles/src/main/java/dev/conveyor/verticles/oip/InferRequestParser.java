package dev.conveyor.verticles.oip;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.util.TokenBuffer;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.shm.RegionRef;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads inference requests of the Open Inference Protocol over HTTP: a JSON head, and the binary
 * tensor data that may follow it (Triton's binary tensor data extension).
 *
 * <p>{@link #remembering} parsers belong to one event loop; others are thread-safe.
 */
public final class InferRequestParser {

  private static final int MAX_RANK = 64;
  private static final String BINARY_SIZE = "binary_data_size";

  private final JsonFactory json;
  private final @Nullable HeadCache cache;

  /**
   * Creates a parser.
   *
   * @param maxMessageBytes no JSON string is longer
   */
  public InferRequestParser(int maxMessageBytes) {
    this(maxMessageBytes, null);
  }

  /** Returns a parser for one event loop that does not parse the same head twice. */
  public static InferRequestParser remembering(int maxMessageBytes) {
    return new InferRequestParser(maxMessageBytes, new HeadCache());
  }

  private InferRequestParser(int maxMessageBytes, @Nullable HeadCache cache) {
    this.cache = cache;
    this.json =
        JsonFactory.builder()
            .streamReadConstraints(
                StreamReadConstraints.builder()
                    .maxStringLength(Math.max(1, maxMessageBytes))
                    .maxNestingDepth(64)
                    .build())
            .build();
  }

  /**
   * Parses a request. The lease behind {@code binary}, if any, stays the caller's: the tensors have
   * shares of it. On failure nothing is kept.
   *
   * @param head the JSON head, {@code length} bytes from {@code offset}
   * @param binary what follows the head
   * @throws InferenceException if the request is malformed or contradicts itself
   */
  public InferHead parse(byte[] head, int offset, int length, BinaryData binary) {
    InferHead parsed = null;
    try {
      parsed = cache == null ? null : cache.find(head, offset, length, binary);
      if (parsed == null) {
        parsed = read(head, offset, length, binary);
      }
      return parsed;
    } finally {
      if (parsed == null) {
        binary.discard();
      }
    }
  }

  private InferHead read(byte[] head, int offset, int length, BinaryData binary) {
    try (JsonParser parser = json.createParser(head, offset, length)) {
      Reader reader = new Reader(parser, binary);
      InferHead parsed = reader.head();
      if (parser.nextToken() != null) {
        throw InferenceException.invalid("unexpected data after the JSON head");
      }
      binary.requireConsumed();
      if (cache != null && reader.repeatable) {
        cache.put(head, offset, length, parsed);
      }
      return parsed;
    } catch (IOException e) {
      throw JsonErrors.unparsable(e);
    }
  }

  /** The state of one parse. Thread-confined. */
  private static final class Reader {

    private final JsonParser json;
    private final BinaryData binary;

    /** Whether every input is behind the head, and every output goes with the answer. */
    private boolean repeatable = true;

    private @Nullable String modelName;
    private @Nullable String modelVersion;
    private @Nullable String id;
    private @Nullable List<Tensor> inputs;
    private final Map<String, InferHead.Output> outputs = new LinkedHashMap<>();
    private Map<String, Object> parameters = Map.of();

    Reader(JsonParser json, BinaryData binary) {
      this.json = json;
      this.binary = binary;
    }

    InferHead head() throws IOException {
      expect(json.nextToken(), JsonToken.START_OBJECT, "the request");
      for (String key = json.nextFieldName(); key != null; key = json.nextFieldName()) {
        JsonToken token = json.nextToken();
        switch (key) {
          case "id" -> id = string(token, "id");
          case "model_name" -> modelName = string(token, "model_name");
          case "model_version" -> modelVersion = string(token, "model_version");
          case "parameters" -> parameters = parameters(token, "parameters");
          case "inputs" -> inputs = inputs(token);
          case "outputs" -> outputs(token);
          default -> json.skipChildren();
        }
      }
      if (inputs == null) {
        throw InferenceException.invalid("the request has no 'inputs'");
      }
      Parameters.refuseForRequest(parameters);
      boolean binaryByDefault = Boolean.TRUE.equals(parameters.get("binary_data_output"));
      return new InferHead(
          modelName, modelVersion, id, inputs, outputs, binaryByDefault, parameters);
    }

    private List<Tensor> inputs(JsonToken token) throws IOException {
      expect(token, JsonToken.START_ARRAY, "'inputs'");
      List<Tensor> read = new ArrayList<>(2);
      while (json.nextToken() != JsonToken.END_ARRAY) {
        expect(json.currentToken(), JsonToken.START_OBJECT, "an input");
        read.add(input());
      }
      return read;
    }

    private Tensor input() throws IOException {
      String name = null;
      DataType type = null;
      Shape shape = null;
      Map<String, Object> options = Map.of();
      TokenBuffer early = null;
      java.nio.ByteBuffer data = null;
      for (String key = json.nextFieldName(); key != null; key = json.nextFieldName()) {
        JsonToken token = json.nextToken();
        switch (key) {
          case "name" -> name = string(token, "name");
          case "datatype" -> type = type(string(token, "datatype"));
          case "shape" -> shape = shape(token);
          case "parameters" -> options = parameters(token, "input parameters");
          case "data" -> {
            if (name == null || type == null || shape == null) {
              early = new TokenBuffer(json);
              early.copyCurrentStructure(json);
            } else {
              data = JsonTensors.read(json, name, type, elements(name, shape));
            }
          }
          default -> json.skipChildren();
        }
      }
      if (name == null || type == null || shape == null) {
        throw InferenceException.invalid("an input needs 'name', 'datatype' and 'shape'");
      }
      if (early != null) {
        try (JsonParser replay = early.asParser()) {
          replay.nextToken();
          data = JsonTensors.read(replay, name, type, elements(name, shape));
        }
      }
      return tensor(name, type, shape, options, data);
    }

    private Tensor tensor(
        String name,
        DataType type,
        Shape shape,
        Map<String, Object> options,
        java.nio.@Nullable ByteBuffer data) {
      Parameters.refuseSequences(options);
      RegionRef region = RegionRef.of(name, options::get);
      boolean behind = options.containsKey(BINARY_SIZE);
      int places = (data == null ? 0 : 1) + (behind ? 1 : 0) + (region == null ? 0 : 1);
      if (places > 1) {
        throw InferenceException.invalid(
            "input '%s' has more than one of 'data', '%s' and '%s'"
                .formatted(name, BINARY_SIZE, RegionRef.REGION));
      }
      if (behind) {
        long bytes = Parameters.nonNegative(options, BINARY_SIZE, Integer.MAX_VALUE);
        requireSize(name, type, shape, BINARY_SIZE, bytes);
        return binary.take(name, type, shape, (int) bytes);
      }
      repeatable = false;
      if (region != null) {
        requireSize(name, type, shape, RegionRef.BYTE_SIZE, region.byteSize());
        return binary.shared().input(name, type, shape, region);
      }
      if (data == null) {
        throw InferenceException.invalid("input '" + name + "' has no 'data'");
      }
      return Tensor.of(name, type, shape, data);
    }

    private static void requireSize(
        String name, DataType type, Shape shape, String key, long bytes) {
      long elements = elements(name, shape);
      boolean right =
          type == DataType.BYTES
              ? bytes >= 4 * elements
              : elements <= Integer.MAX_VALUE && bytes == elements * type.sizeBytes();
      if (!right) {
        throw InferenceException.invalid(
            "input '%s': %s is %d, but shape %s of %s needs %s%d bytes"
                .formatted(
                    name,
                    key,
                    bytes,
                    shape,
                    type,
                    type == DataType.BYTES ? "at least " : "",
                    elements * Math.max(type == DataType.BYTES ? 4 : 1, type.sizeBytes())));
      }
    }

    private void outputs(JsonToken token) throws IOException {
      expect(token, JsonToken.START_ARRAY, "'outputs'");
      while (json.nextToken() != JsonToken.END_ARRAY) {
        expect(json.currentToken(), JsonToken.START_OBJECT, "an output");
        output();
      }
    }

    private void output() throws IOException {
      String name = null;
      Map<String, Object> options = Map.of();
      for (String key = json.nextFieldName(); key != null; key = json.nextFieldName()) {
        JsonToken token = json.nextToken();
        switch (key) {
          case "name" -> name = string(token, "name");
          case "parameters" -> options = parameters(token, "output parameters");
          default -> json.skipChildren();
        }
      }
      if (name == null) {
        throw InferenceException.invalid("an output needs a 'name'");
      }
      Parameters.refuseSequences(options);
      Object wantsBinary = options.get("binary_data");
      if (wantsBinary != null && !(wantsBinary instanceof Boolean)) {
        throw InferenceException.invalid("parameter 'binary_data' must be true or false");
      }
      int classes = (int) Parameters.nonNegative(options, "classification", Integer.MAX_VALUE);
      RegionRef region = RegionRef.of(name, options::get);
      if (region != null) {
        RegionRef.refuseClasses(name, classes);
        binary.shared().output(name, region);
        repeatable = false;
      }
      outputs.put(name, new InferHead.Output((Boolean) wantsBinary, classes, region));
    }

    private Map<String, Object> parameters(JsonToken token, String what) throws IOException {
      expect(token, JsonToken.START_OBJECT, what);
      Map<String, Object> read = new LinkedHashMap<>(4);
      for (String key = json.nextFieldName(); key != null; key = json.nextFieldName()) {
        Object value =
            switch (json.nextToken()) {
              case VALUE_TRUE -> true;
              case VALUE_FALSE -> false;
              case VALUE_STRING -> json.getText();
              case VALUE_NUMBER_INT -> json.getNumberValue();
              case VALUE_NUMBER_FLOAT -> json.getDoubleValue();
              default ->
                  throw InferenceException.invalid(
                      "parameter '" + key + "' must be a string, a number or a boolean");
            };
        read.put(key, value);
      }
      return read;
    }

    private Shape shape(JsonToken token) throws IOException {
      expect(token, JsonToken.START_ARRAY, "'shape'");
      long[] dims = new long[4];
      int rank = 0;
      while (json.nextToken() != JsonToken.END_ARRAY) {
        if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
            || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER
            || json.getLongValue() < 0) {
          throw InferenceException.invalid(
              "a shape holds integers from 0, found " + json.getText());
        }
        if (rank == MAX_RANK) {
          throw InferenceException.invalid("a shape has at most " + MAX_RANK + " dimensions");
        }
        if (rank == dims.length) {
          dims = java.util.Arrays.copyOf(dims, 2 * rank);
        }
        dims[rank++] = json.getLongValue();
      }
      return Shape.of(java.util.Arrays.copyOf(dims, rank));
    }

    private static DataType type(String name) {
      return DataType.find(name)
          .filter(type -> type.name().equals(name))
          .orElseThrow(() -> InferenceException.invalid("unknown datatype '" + name + "'"));
    }

    private static long elements(String name, Shape shape) {
      try {
        long elements = shape.elements();
        if (elements <= Integer.MAX_VALUE) {
          return elements;
        }
      } catch (ArithmeticException e) {
        // Falls through to the same refusal: the product does not even fit in a long.
      }
      throw InferenceException.invalid(
          "input '%s': shape %s has more elements than a message can hold".formatted(name, shape));
    }

    private String string(JsonToken token, String what) throws IOException {
      expect(token, JsonToken.VALUE_STRING, "'" + what + "'");
      return json.getText();
    }

    private static void expect(@Nullable JsonToken found, JsonToken expected, String what) {
      if (found != expected) {
        throw InferenceException.invalid(
            what + " must be " + describe(expected) + ", found " + describe(found));
      }
    }

    private static String describe(@Nullable JsonToken token) {
      if (token == null) {
        return "nothing";
      }
      return switch (token) {
        case START_OBJECT -> "an object";
        case START_ARRAY -> "an array";
        case VALUE_STRING -> "a string";
        case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "a number";
        case VALUE_TRUE, VALUE_FALSE -> "a boolean";
        case VALUE_NULL -> "null";
        default -> "the end of its container";
      };
    }
  }
}
