package dev.conveyor.verticles.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.oip.JsonErrors;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/**
 * Bodies of load and unload requests: {@code {"parameters": {...}}}, or nothing. Read token by
 * token, because files come as base64 and a model as a string would be held three times.
 * Thread-safe: no state.
 */
final class RepositoryBody {

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxStringLength(Integer.MAX_VALUE) // the body's length is limited
                  .maxNestingDepth(64)
                  .build())
          .build();

  /** Told of one parameter, at whose value the parser stands. */
  private interface Parameter {
    void read(String key, JsonParser json) throws IOException;
  }

  private RepositoryBody() {}

  /**
   * Reads the body of a load.
   *
   * @throws InferenceException INVALID_REQUEST or UNSUPPORTED, naming the parameter
   */
  static ModelOverride load(Buffer body) {
    Map<String, String> config = new HashMap<>();
    Map<String, byte[]> files = new HashMap<>();
    read(
        body,
        (key, json) -> {
          if (key.equals(ModelOverride.CONFIG)) {
            if (json.currentToken() != JsonToken.VALUE_NULL) {
              config.put(key, string(json, "load parameter 'config' must be a string of JSON"));
            }
          } else if (key.startsWith(ModelOverride.FILE_PREFIX)) {
            if (json.currentToken() != JsonToken.VALUE_STRING) {
              throw InferenceException.invalid(
                  "load parameter '" + key + "' must be a string of base64");
            }
            files.put(key.substring(ModelOverride.FILE_PREFIX.length()), json.getBinaryValue());
          } else {
            throw unsupported("load", key);
          }
        });
    return new ModelOverride(config.get(ModelOverride.CONFIG), files);
  }

  /** Returns whether an unload is to take the models of an ensemble along. */
  static boolean unloadDependents(Buffer body) {
    boolean[] dependents = new boolean[1];
    read(
        body,
        (key, json) -> {
          if (!key.equals("unload_dependents")) {
            throw unsupported("unload", key);
          }
          if (!json.currentToken().isBoolean()) {
            throw InferenceException.invalid(
                "unload parameter 'unload_dependents' must be true or false");
          }
          dependents[0] = json.getBooleanValue();
        });
    return dependents[0];
  }

  private static void read(Buffer body, Parameter parameter) {
    if (body.length() == 0) {
      return;
    }
    try (JsonParser json = JSON.createParser(body.getBytes())) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw InferenceException.invalid("the request must be a JSON object");
      }
      for (String key = json.nextFieldName(); key != null; key = json.nextFieldName()) {
        JsonToken value = json.nextToken();
        if (!key.equals("parameters") || value == JsonToken.VALUE_NULL) {
          json.skipChildren();
        } else if (value == JsonToken.START_OBJECT) {
          for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            json.nextToken();
            parameter.read(name, json);
            json.skipChildren();
          }
        } else {
          throw InferenceException.invalid("'parameters' must be an object");
        }
      }
      if (json.nextToken() != null) {
        throw InferenceException.invalid("unexpected data after the JSON object");
      }
    } catch (IOException e) {
      throw JsonErrors.unparsable(e);
    }
  }

  private static String string(JsonParser json, String complaint) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_STRING) {
      throw InferenceException.invalid(complaint);
    }
    return json.getText();
  }

  private static InferenceException unsupported(String what, String key) {
    return new InferenceException(
        ErrorCode.UNSUPPORTED, what + " parameter '" + key + "' is not supported");
  }
}
