package dev.conveyor.models.config;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads protobuf text format, with the key paths and suggestions that its parser does not give. */
final class PbtxtReader {

  private static final TextFormat.Parser PARSER =
      TextFormat.Parser.newBuilder()
          .setSingularOverwritePolicy(
              TextFormat.Parser.SingularOverwritePolicy.FORBID_SINGULAR_OVERWRITES)
          .build();

  private static final Pattern POSITION = Pattern.compile("^\\d+:\\d+: ");
  private static final Pattern ENUM_VALUE = Pattern.compile("has no value named \"(.*)\"\\.");

  private PbtxtReader() {}

  /**
   * Reads a whole text.
   *
   * @param lines receives the line of every key path
   * @throws ConfigException with line and key of the first mistake
   */
  static void read(String text, Message.Builder into, Map<String, Integer> lines) {
    List<PbtxtOutline.Entry> outline = PbtxtOutline.of(text, into.getDescriptorForType());
    outline.forEach(entry -> lines.putIfAbsent(entry.path(), entry.line()));
    try {
      PARSER.merge(text, into);
    } catch (TextFormat.ParseException e) {
      throw explain(e, outline).in("", e.getLine());
    }
  }

  private static ConfigException explain(
      TextFormat.ParseException e, List<PbtxtOutline.Entry> outline) {
    PbtxtOutline.Entry last = new PbtxtOutline.Entry(1, 1, "", "", null);
    for (PbtxtOutline.Entry entry : outline) {
      boolean before =
          entry.line() < e.getLine()
              || (entry.line() == e.getLine() && entry.column() <= e.getColumn());
      last = before ? entry : last;
    }
    String message = String.valueOf(e.getMessage());
    List<FieldDescriptor> fields = last.parent() == null ? List.of() : last.parent().getFields();
    if (message.contains("unknown fields")) {
      List<String> known = fields.stream().map(FieldDescriptor::getName).toList();
      return new ConfigException(last.path(), "unknown key" + Suggestions.of(last.name(), known));
    }
    Matcher value = ENUM_VALUE.matcher(message);
    String key = last.name();
    FieldDescriptor field =
        fields.stream().filter(f -> f.getName().equals(key)).findFirst().orElse(null);
    if (value.find() && field != null && field.getJavaType() == FieldDescriptor.JavaType.ENUM) {
      List<String> names = field.getEnumType().getValues().stream().map(v -> v.getName()).toList();
      String found = value.group(1);
      return new ConfigException(
          last.path(), "one of " + names, "\"" + found + "\"" + Suggestions.of(found, names));
    }
    return new ConfigException(last.path(), POSITION.matcher(message).replaceFirst(""));
  }
}
