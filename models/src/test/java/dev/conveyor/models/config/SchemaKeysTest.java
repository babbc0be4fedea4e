package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import dev.conveyor.models.proto.ModelExtensions;
import dev.conveyor.models.proto.ServerSettings;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The schemas have the keys that the readers have, and say of each what it is. */
class SchemaKeysTest {

  /** Keys that the reader knows only in order to refuse them by name. */
  private static final Set<String> UNSUPPORTED = Set.of("sequence_batching");

  @Test
  void shouldDescribeEveryKeyThatTheReadersSupport() {
    JsonNode model = Schemas.json("model-config").get("properties");
    JsonNode server = Schemas.json("server-config").get("properties");
    List<String> missing = new ArrayList<>();
    Set<String> unknown = new HashSet<>();
    compare("", dev.conveyor.models.proto.ModelConfig.getDescriptor(), model, missing, unknown);
    compare(
        "conveyor.", ModelExtensions.getDescriptor(), inside(model, "conveyor"), missing, unknown);
    compare("server.", ServerSettings.getDescriptor(), server, missing, unknown);

    assertThat(missing).containsExactlyInAnyOrderElementsOf(UNSUPPORTED);
    assertThat(unknown).containsExactlyInAnyOrder("conveyor", "$schema", "server.$schema");
  }

  private static void compare(
      String path,
      Descriptor type,
      JsonNode properties,
      List<String> missing,
      Set<String> unknown) {
    Set<String> keys = new HashSet<>();
    properties.fieldNames().forEachRemaining(keys::add);
    for (FieldDescriptor field : type.getFields()) {
      String key = path + field.getName();
      if (!keys.remove(field.getName())) {
        missing.add(key);
        continue;
      }
      JsonNode schema = properties.get(field.getName());
      assertThat(schema.path("description").asText()).as("description of %s", key).isNotBlank();
      boolean open = !schema.has("maxItems") && !schema.has("const");
      if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE && open) {
        Descriptor nested = field.getMessageType();
        FieldDescriptor value = field.isMapField() ? nested.findFieldByName("value") : field;
        if (value.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
          compare(
              key + ".",
              value.getMessageType(),
              inside(properties, field.getName()),
              missing,
              unknown);
        }
      }
    }
    keys.forEach(key -> unknown.add(path + key));
  }

  private static JsonNode inside(JsonNode properties, String key) {
    JsonNode schema = properties.get(key);
    JsonNode element = schema.has("items") ? schema.get("items") : schema;
    JsonNode values = element.get("additionalProperties");
    JsonNode object = values != null && values.isObject() ? values : element;
    assertThat(object.get("additionalProperties").asBoolean(true)).as(key).isFalse();
    return object.get("properties");
  }
}
