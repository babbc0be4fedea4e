package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonSchema;
import dev.conveyor.models.Documentation;
import dev.conveyor.models.proto.ModelExtensions;
import dev.conveyor.models.proto.ServerSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * The configurations in the documentation are read as servers read them. What follows {@code json}
 * where a block begins says what it is: {@code server}, {@code model}, or {@code part}, of a
 * model's that makes sense only with the rest. What is inside of the outermost braces may stand
 * without.
 */
class DocumentedConfigTest {

  private static final Pattern BLOCK =
      Pattern.compile("(?ms)^ *```(json|textproto)([^\\n]*)\\n(.*?)^ *```$");

  private static final JsonSchema SERVER = Schemas.schema("server-config");
  private static final JsonSchema MODEL = Schemas.schema("model-config");

  @TempDir private static Path directory;

  @TestFactory
  Stream<DynamicTest> shouldReadWhatIsDocumented() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path page : Documentation.pages()) {
      String text = Files.readString(page);
      BLOCK
          .matcher(text)
          .results()
          .forEach(
              block -> {
                long line = text.substring(0, block.start()).lines().count() + 1;
                String name = page.getFileName() + ":" + line;
                tests.add(DynamicTest.dynamicTest(name, () -> check(block)));
              });
    }
    return tests.stream();
  }

  @Test
  void shouldHaveOneServerConfigurationWithEveryKey() {
    String json =
        BLOCK
            .matcher(Documentation.page("operations.md"))
            .results()
            .filter(block -> block.group(2).equals(" server"))
            .findFirst()
            .orElseThrow()
            .group(3);
    ServerSettings.Builder settings = ServerSettings.newBuilder();
    StrictJsonReader.read(json, settings, Map.of(), new HashMap<>());

    List<String> missing = new ArrayList<>();
    missing("", settings, missing);
    assertThat(missing).isEmpty();
  }

  private static void missing(String path, Message.Builder builder, List<String> missing) {
    for (FieldDescriptor field : builder.getDescriptorForType().getFields()) {
      String key = path + field.getName();
      if (field.isRepeated()
          ? builder.getRepeatedFieldCount(field) == 0
          : !builder.hasField(field)) {
        missing.add(key);
      } else if (!field.isRepeated() && field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
        missing(key + ".", builder.getFieldBuilder(field), missing);
      }
    }
  }

  private static void check(MatchResult block) throws IOException {
    String text = block.group(3);
    if (block.group(1).equals("textproto")) {
      Path model = Files.createTempDirectory(directory, "model");
      Files.writeString(model.resolve(ModelConfigReader.PBTXT_FILENAME), text);
      assertThat(ModelConfigReader.read(model).name()).isNotEmpty();
      return;
    }
    String json = text.stripLeading().startsWith("{") ? text : "{" + text + "}";
    switch (block.group(2)) {
      case " server" -> {
        assertThat(SERVER.validate(json, InputFormat.JSON)).isEmpty();
        assertThat(ServerConfigReader.read("page", json)).isNotNull();
      }
      case " model" -> {
        assertThat(MODEL.validate(json, InputFormat.JSON)).isEmpty();
        assertThat(ModelConfigReader.read("model", json)).isNotNull();
      }
      case " part" -> {
        ModelExtensions.Builder ours = ModelExtensions.newBuilder();
        var config = dev.conveyor.models.proto.ModelConfig.newBuilder();
        Map<String, Message.Builder> blocks = Map.of(ModelConfig.EXTENSIONS_KEY, ours);
        StrictJsonReader.read(json, config, blocks, new HashMap<>());
        assertThat(ours.getAllFields().size() + config.getAllFields().size()).isPositive();
      }
      default ->
          throw new AssertionError("say what it is: ```json server, ```json model or ```json part");
    }
  }
}
