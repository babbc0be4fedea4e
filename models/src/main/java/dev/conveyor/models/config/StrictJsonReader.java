package dev.conveyor.models.config;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.OneofDescriptor;
import com.google.protobuf.Message;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads JSON into a protobuf message whose descriptor says which keys and types exist.
 *
 * <p>Stricter than protobuf's own JSON mapping, because a configuration that is not what its author
 * thinks is worse than none: unknown and duplicate keys, null, enum numbers and two members of a
 * oneof are errors, keys are written as the definition writes them, and only 64-bit integers may be
 * strings. Only {@code $schema} of the outermost object is passed over, whatever it names.
 *
 * <p>Thread-confined: created, used and dropped by one call.
 */
final class StrictJsonReader {

  private static final JsonFactory JSON = new JsonFactory();

  /** For editors: where the schema of the file is. It says nothing about the configuration. */
  private static final String SCHEMA_KEY = "$schema";

  private final JsonParser parser;
  private final Map<String, Integer> lines;
  private final Map<String, Message.Builder> blocks;

  private StrictJsonReader(
      JsonParser parser, Map<String, Integer> lines, Map<String, Message.Builder> blocks) {
    this.parser = parser;
    this.lines = lines;
    this.blocks = blocks;
  }

  /**
   * Reads one JSON object.
   *
   * @param into receives what its definition knows
   * @param blocks keys of the outermost object that are read into a message of their own
   * @param lines receives the line of every key path
   * @throws ConfigException with the line where reading stopped
   */
  static void read(
      String json,
      Message.Builder into,
      Map<String, Message.Builder> blocks,
      Map<String, Integer> lines) {
    try (JsonParser parser = JSON.createParser(json)) {
      StrictJsonReader reader = new StrictJsonReader(parser, lines, blocks);
      parser.nextToken();
      try {
        reader.readObject("", into);
        if (parser.nextToken() != null) {
          throw new ConfigException("", "the end of the file", reader.found());
        }
      } catch (ConfigException e) {
        throw e.in("", reader.line());
      }
    } catch (JsonProcessingException e) {
      throw new ConfigException("", "not JSON: " + e.getOriginalMessage())
          .in("", e.getLocation() == null ? 0 : e.getLocation().getLineNr());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void readObject(String path, Message.Builder builder) throws IOException {
    require(path, JsonToken.START_OBJECT, "an object");
    Set<String> seen = new HashSet<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      String key = path.isEmpty() ? name : path + "." + name;
      lines.put(key, line());
      if (!seen.add(name)) {
        throw new ConfigException(key, "this key is there twice");
      }
      Message.Builder block = path.isEmpty() ? blocks.get(name) : null;
      if (block != null) {
        parser.nextToken();
        readObject(key, block);
      } else if (key.equals(SCHEMA_KEY)) {
        parser.nextToken();
        require(key, JsonToken.VALUE_STRING, "a string");
      } else {
        FieldDescriptor field = field(key, name, builder.getDescriptorForType(), path.isEmpty());
        requireAlone(key, field, builder);
        parser.nextToken();
        readField(key, field, builder);
      }
    }
  }

  private FieldDescriptor field(String key, String name, Descriptor type, boolean outermost) {
    FieldDescriptor field = type.findFieldByName(name);
    if (field != null) {
      return field;
    }
    List<String> known = new ArrayList<>();
    type.getFields().forEach(f -> known.add(f.getName()));
    if (outermost) {
      known.addAll(blocks.keySet());
    }
    throw new ConfigException(key, "unknown key" + Suggestions.of(name, known));
  }

  private static void requireAlone(String key, FieldDescriptor field, Message.Builder builder) {
    OneofDescriptor choice = field.getRealContainingOneof();
    FieldDescriptor other = choice == null ? null : builder.getOneofFieldDescriptor(choice);
    if (other != null) {
      throw new ConfigException(key, "excludes " + other.getName() + ", which is there too");
    }
  }

  private void readField(String key, FieldDescriptor field, Message.Builder builder)
      throws IOException {
    if (field.isMapField()) {
      readMap(key, field, builder);
    } else if (field.isRepeated()) {
      require(key, JsonToken.START_ARRAY, "an array");
      for (int i = 0; parser.nextToken() != JsonToken.END_ARRAY; i++) {
        String element = key + "[" + i + "]";
        lines.put(element, line());
        builder.addRepeatedField(field, readValue(element, field, builder));
      }
    } else {
      builder.setField(field, readValue(key, field, builder));
    }
  }

  private void readMap(String path, FieldDescriptor field, Message.Builder builder)
      throws IOException {
    require(path, JsonToken.START_OBJECT, "an object");
    FieldDescriptor keyField = field.getMessageType().findFieldByName("key");
    FieldDescriptor valueField = field.getMessageType().findFieldByName("value");
    Set<String> seen = new HashSet<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      String key = path + "." + name;
      lines.put(key, line());
      if (!seen.add(name)) {
        throw new ConfigException(key, "this key is there twice");
      }
      Message.Builder entry = builder.newBuilderForField(field);
      entry.setField(
          keyField,
          keyField.getJavaType() == FieldDescriptor.JavaType.LONG ? parse(key, name) : name);
      parser.nextToken();
      entry.setField(valueField, readValue(key, valueField, entry));
      builder.addRepeatedField(field, entry.build());
    }
  }

  private Object readValue(String key, FieldDescriptor field, Message.Builder parent)
      throws IOException {
    return switch (field.getJavaType()) {
      case MESSAGE -> {
        Message.Builder message = parent.newBuilderForField(field);
        readObject(key, message);
        yield message.build();
      }
      case INT ->
          (int) readInteger(key, isUnsigned(field) ? 0 : Integer.MIN_VALUE, Integer.MAX_VALUE);
      case LONG -> readLong(key, isUnsigned(field) ? 0 : Long.MIN_VALUE);
      case BOOLEAN -> {
        if (parser.currentToken() != JsonToken.VALUE_TRUE) {
          require(key, JsonToken.VALUE_FALSE, "true or false");
        }
        yield parser.getBooleanValue();
      }
      case STRING -> {
        require(key, JsonToken.VALUE_STRING, "a string");
        yield parser.getText();
      }
      case DOUBLE -> readDouble(key);
      case FLOAT -> (float) readDouble(key);
      case ENUM -> readEnum(key, field);
      case BYTE_STRING -> throw new ConfigException(key, "bytes cannot be configured");
    };
  }

  private Object readEnum(String key, FieldDescriptor field) throws IOException {
    List<String> names = new ArrayList<>();
    field.getEnumType().getValues().forEach(v -> names.add(v.getName()));
    require(key, JsonToken.VALUE_STRING, "one of " + names);
    String name = parser.getText();
    if (!names.contains(name)) {
      throw new ConfigException(key, "one of " + names, quote(name) + Suggestions.of(name, names));
    }
    return field.getEnumType().findValueByName(name);
  }

  private double readDouble(String key) throws IOException {
    JsonToken token = parser.currentToken();
    if (token != JsonToken.VALUE_NUMBER_INT && token != JsonToken.VALUE_NUMBER_FLOAT) {
      throw new ConfigException(key, "a number", found());
    }
    double value = parser.getDoubleValue();
    if (!Double.isFinite(value)) {
      throw new ConfigException(key, "a number below 1.8e308", parser.getText());
    }
    return value;
  }

  private long readLong(String key, long min) throws IOException {
    if (parser.currentToken() != JsonToken.VALUE_STRING) {
      return readInteger(key, min, Long.MAX_VALUE);
    }
    long value = parse(key, parser.getText());
    if (value < min) {
      throw new ConfigException(key, "an integer of at least " + min, quote(parser.getText()));
    }
    return value;
  }

  private long readInteger(String key, long min, long max) throws IOException {
    String expected = "an integer from " + min + " to " + max;
    require(key, JsonToken.VALUE_NUMBER_INT, expected);
    boolean fits = parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
    if (!fits || parser.getLongValue() < min || parser.getLongValue() > max) {
      throw new ConfigException(key, expected, found());
    }
    return parser.getLongValue();
  }

  private static long parse(String key, String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new ConfigException(key, "an integer", quote(text));
    }
  }

  private static boolean isUnsigned(FieldDescriptor field) {
    return field.getType() == FieldDescriptor.Type.UINT32
        || field.getType() == FieldDescriptor.Type.UINT64;
  }

  private void require(String key, JsonToken expected, String description) throws IOException {
    if (parser.currentToken() != expected) {
      throw new ConfigException(key, description, found());
    }
  }

  private int line() {
    return parser.currentTokenLocation().getLineNr();
  }

  private String found() throws IOException {
    @Nullable JsonToken token = parser.currentToken();
    if (token == null) {
      return "nothing";
    }
    return switch (token) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING -> quote(parser.getText());
      default -> shorten(parser.getText());
    };
  }

  private static String quote(String text) {
    return "\"" + shorten(text) + "\"";
  }

  private static String shorten(String text) {
    return text.length() <= 60 ? text : text.substring(0, 60) + "...";
  }
}
