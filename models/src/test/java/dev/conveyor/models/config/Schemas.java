package dev.conveyor.models.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The schemas that are delivered, from the root of the project. */
final class Schemas {

  private Schemas() {}

  /** Returns what checks configurations by the schema of a name, such as {@code model-config}. */
  static JsonSchema schema(String name) {
    return JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(json(name));
  }

  /** Returns the schema of a name as it is written. */
  static JsonNode json(String name) {
    Path inRoot = Path.of("conf", "schema");
    Path directory = Files.isDirectory(inRoot) ? inRoot : Path.of("..", "conf", "schema");
    try {
      return new ObjectMapper().readTree(directory.resolve(name + ".schema.json").toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
