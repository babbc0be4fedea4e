package dev.conveyor.verticles.oip;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.conveyor.models.InferenceException;
import java.io.IOException;
import java.util.regex.Pattern;

/** What a client is told whose JSON is none. Thread-safe: no state. */
public final class JsonErrors {

  /** How the parser names a place in the text; what it calls the source says nothing to clients. */
  private static final Pattern PLACE =
      Pattern.compile("\\[Source: [^\\]]*; line: (\\d+), column: (\\d+)]");

  private JsonErrors() {}

  /** Returns the failure of a request whose JSON cannot be parsed. */
  public static InferenceException unparsable(IOException failure) {
    String found =
        failure instanceof JsonProcessingException e
            ? e.getOriginalMessage()
            : failure.getMessage();
    return InferenceException.invalid(
        "failed to parse the request JSON: "
            + PLACE.matcher(String.valueOf(found)).replaceAll("line $1, column $2"));
  }
}
