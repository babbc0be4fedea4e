package dev.conveyor.models.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.List;

/**
 * Prints a protobuf message as Triton prints its configurations: keys as the definition writes
 * them, values at their defaults included, integers of 64 bits as numbers. What {@link
 * StrictJsonReader} reads from it is the same message.
 */
final class JsonPrinter {

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private JsonPrinter() {}

  static ObjectNode print(Message message) {
    ObjectNode object = NODES.objectNode();
    for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
      if (field.isRepeated() || !field.hasPresence() || message.hasField(field)) {
        object.set(field.getName(), field(field, message.getField(field)));
      }
    }
    return object;
  }

  private static JsonNode field(FieldDescriptor field, Object value) {
    if (field.isMapField()) {
      ObjectNode object = NODES.objectNode();
      FieldDescriptor keyField = field.getMessageType().findFieldByName("key");
      FieldDescriptor valueField = field.getMessageType().findFieldByName("value");
      for (Object entry : (List<?>) value) {
        Message pair = (Message) entry;
        object.set(
            pair.getField(keyField).toString(), value(valueField, pair.getField(valueField)));
      }
      return object;
    }
    if (field.isRepeated()) {
      ArrayNode array = NODES.arrayNode();
      ((List<?>) value).forEach(element -> array.add(value(field, element)));
      return array;
    }
    return value(field, value);
  }

  private static JsonNode value(FieldDescriptor field, Object value) {
    return switch (field.getJavaType()) {
      case INT -> NODES.numberNode((int) value);
      case LONG -> NODES.numberNode((long) value);
      case FLOAT -> NODES.numberNode((float) value);
      case DOUBLE -> NODES.numberNode((double) value);
      case BOOLEAN -> NODES.booleanNode((boolean) value);
      case STRING -> NODES.textNode((String) value);
      case ENUM -> NODES.textNode(((EnumValueDescriptor) value).getName());
      case MESSAGE -> print((Message) value);
      case BYTE_STRING -> throw new IllegalArgumentException(field.getName() + " holds bytes");
    };
  }
}
