package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Chars;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PbtxtMistakesTest {

  private @TempDir Path root;

  @Test
  void shouldNameLineKeyAndNearestWhenAKeyIsUnknown() throws IOException {
    assertRefused(
        """
        name: "m"  # dims: not here
        input [
          { name: "a" dims: [ 1 ] },
          { name: "b" dimz: [ 1 ] }
        ]
        """,
        4,
        "input[1].dimz",
        "unknown key, did you mean \"dims\"?");
  }

  @Test
  void shouldNameNearestValueWhenAnEnumIsUnknown() throws IOException {
    assertRefused(
        "output { name: \"{\" }\noutput {\n  name: 'b'\n  data_type: FP32\n}\n",
        4,
        "output[1].data_type",
        "found \"FP32\", did you mean \"TYPE_FP32\"?");
  }

  @Test
  void shouldNameTheElementWhenAListHoldsAWrongType() throws IOException {
    assertRefused(
        "dynamic_batching {\n  preferred_batch_size: [ 4,\n    \"x\" ]\n}",
        3,
        "dynamic_batching.preferred_batch_size[1]",
        "integer");
  }

  @Test
  void shouldNameTheElementWhenAValueIsOutOfRange() throws IOException {
    assertRefused(
        """
        max_batch_size: 4
        dynamic_batching {
          preferred_batch_size: 2
          preferred_batch_size: 16
        }
        """,
        4,
        "dynamic_batching.preferred_batch_size[1]",
        "expected at most max_batch_size=4, found 16");
  }

  @Test
  void shouldRefuseASecondValue() throws IOException {
    assertRefused(
        "max_batch_size: 4\nmax_batch_size: 5", 2, "max_batch_size", "cannot be overwritten");
  }

  @Test
  void shouldRefuseIntegersThatOnlyFitUnsigned() throws IOException {
    assertRefused(
        "dynamic_batching {\n  max_queue_delay_microseconds: 18446744073709551615\n}",
        2,
        "dynamic_batching.max_queue_delay_microseconds",
        "found 18446744073709551615");
  }

  @Test
  void shouldRefuseWhatIsNotSupported() throws IOException {
    assertRefused(
        "max_batch_size: 1\n\nsequence_batching { oldest { } }",
        3,
        "sequence_batching",
        "not supported");
  }

  @Test
  void shouldNameTheKeyInsideOfTheExtensions() throws IOException {
    assertRefused(
        """
        parameters { key: "a" value { string_value: "b" } }
        parameters {
          key: "conveyor"
          value { string_value: '{"weigth": 2}' }
        }
        """,
        3,
        "parameters.conveyor.weigth",
        "did you mean \"weight\"?");
    assertRefused(
        "parameters { key: \"conveyor\" value { string_value: '{\"intra_op_threads\": -2}' } }",
        1,
        "parameters.conveyor.intra_op_threads",
        "expected 0 or more, found -2");
  }

  @Test
  void shouldNameTheWarmupInput() throws IOException {
    assertRefused(
        """
        model_warmup {
          inputs { key: "x" value { dims: 1 } }
        }
        """,
        2,
        "model_warmup[0].inputs.x.data_type",
        "found nothing");
  }

  @Test
  void shouldRefuseAnUnfinishedFile() throws IOException {
    assertRefused("input [ {", 1, "input[0]", "Expected");
  }

  @Property(tries = 500)
  void shouldNeverFailOnGarbage(
      @ForAll
          @Chars({'{', '}', '[', ']', '<', '>', ':', ',', '"', '\'', '\\', '#', '\n', ' '})
          @CharRange(from = 'a', to = 'f')
          String text) {
    for (PbtxtOutline.Entry entry :
        PbtxtOutline.of("input " + text, dev.conveyor.models.proto.ModelConfig.getDescriptor())) {
      assertThat(entry.line()).isPositive();
      assertThat(entry.column()).isPositive();
    }
  }

  private void assertRefused(String pbtxt, int line, String key, String problem)
      throws IOException {
    Path model = Files.createDirectories(root.resolve("m"));
    Path file = Files.writeString(model.resolve("config.pbtxt"), pbtxt);
    ConfigException refused =
        catchThrowableOfType(ConfigException.class, () -> ModelConfigReader.read(model));

    assertThat(refused).hasMessageStartingWith(file + ":" + line + ": " + key + ": ");
    assertThat(refused.problem()).contains(problem);
  }
}
