package dev.conveyor.models.tune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.config.VersionPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TunedConfigTest {

  private static final Setting SETTING = new Setting(3, 2, 4, 500, 2, "dnnl");

  private static final long SERVED = 1;

  @TempDir private Path directory;

  private ModelConfig written(String text, Setting setting) throws IOException {
    Files.writeString(directory.resolve("config.json"), text);
    Path file = directory.resolve("config.json");
    TunedConfig.of(directory, true).write(file, "m", setting, SERVED);
    try (var files = Files.list(directory)) {
      assertThat(files).containsExactly(file);
    }
    return ModelConfigReader.read("m", Files.readString(file));
  }

  @Test
  void shouldSetWhatWasTunedAndKeepTheRest() throws IOException {
    ModelConfig tuned =
        written(
            """
            {"max_batch_size": 16, "instance_group": [{"kind": "KIND_AUTO", "count": 1}],
             "dynamic_batching": {"preferred_batch_size": [4, 8], "preserve_ordering": true},
             "parameters": {"mine": {"string_value": "yes"}},
             "conveyor": {"weight": 2, "min_count": 1, "max_count": 4}}
            """,
            SETTING);
    assertThat(tuned.maxBatchSize()).isEqualTo(4);
    assertThat(tuned.instanceGroups()).hasSize(1);
    assertThat(tuned.instanceGroups().get(0).count()).isEqualTo(3);
    assertThat(tuned.extensions().intraOpThreads()).isEqualTo(2);
    assertThat(tuned.extensions().instances().isFixed()).isTrue();
    assertThat(tuned.extensions().weight()).isEqualTo(2);
    assertThat(tuned.versionPolicy()).isEqualTo(new VersionPolicy.Specific(List.of(2L)));
    assertThat(tuned.parameters())
        .containsEntry("mine", "yes")
        .containsEntry("execution_provider", "dnnl");
    var batching = tuned.dynamicBatching().orElseThrow();
    assertThat(batching.maxQueueDelay()).isEqualTo(Duration.ofNanos(500_000));
    assertThat(batching.preferredBatchSizes()).containsExactly(4);
    assertThat(batching.preserveOrdering()).isTrue();
  }

  @Test
  void shouldTakeAwayAProviderThatIsTheDefault() throws IOException {
    ModelConfig tuned =
        written(
            "{\"parameters\": {\"execution_provider\": {\"string_value\": \"dnnl\"}}}",
            new Setting(1, 1, 8, 0, 1, "cpu"));
    assertThat(tuned.parameters()).isEmpty();
  }

  @Test
  void shouldWriteMoreThreadsWhereNothingElseWantsTheCoresAndTakeThemAway() throws IOException {
    ModelConfig with = written("{}", new Setting(2, 1, 4, 8, 0, 1, "cpu"));
    assertThat(with.extensions().idleIntraOpThreads()).isEqualTo(4);
    ModelConfig without =
        written(
            "{\"conveyor\": {\"idle_intra_op_threads\": 4}}", new Setting(2, 1, 8, 0, 1, "cpu"));
    assertThat(without.extensions().idleIntraOpThreads()).isZero();
  }

  @Test
  void shouldMakeAConfigurationWhereThereWasNone() {
    Path file = directory.resolve("best.json");
    TunedConfig.of(directory, false).write(file, "m", SETTING, SERVED);
    ModelConfig tuned = ModelConfigReader.read("m", read(file));
    assertThat(tuned.maxBatchSize()).isEqualTo(ModelConfig.UNSET);
    assertThat(tuned.dynamicBatching()).isEmpty();
    assertThat(tuned.instanceGroups().get(0).count()).isEqualTo(3);
  }

  @Test
  void shouldLeaveTheFileAsItIsWhenTheSettingIsNoConfiguration() throws IOException {
    Path file = directory.resolve("config.json");
    Files.writeString(file, "{}");
    TunedConfig config = TunedConfig.of(directory, true);
    Setting impossible = new Setting(1, -1, 1, 0, 1, "cpu");
    assertThatThrownBy(() -> config.write(file, "m", impossible, SERVED))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("intra_op_threads");
    assertThat(file).hasContent("{}");
  }

  @Test
  void shouldLeaveTheChoiceOfVersionsIfTheBestOneServes() throws IOException {
    Path file = directory.resolve("config.json");
    Files.writeString(file, "{\"version_policy\": {\"all\": {}}}");
    TunedConfig config = TunedConfig.of(directory, true);
    config.write(file, "m", SETTING, SETTING.version());
    assertThat(ModelConfigReader.read("m", read(file)).versionPolicy())
        .isEqualTo(new VersionPolicy.All());
    assertThat(ModelConfigReader.read("m", config.text(SETTING)).versionPolicy())
        .as("for a measurement")
        .isEqualTo(new VersionPolicy.Specific(List.of(2L)));
  }

  @Test
  void shouldLeaveOutWarmUpsThatAreLargerThanTheBatches() throws IOException {
    ModelConfig tuned =
        written(
            """
            {"model_warmup": [{"name": "four", "batch_size": 4}, {"name": "five", "batch_size": 5}]}
            """,
            SETTING);
    assertThat(tuned.warmups()).hasSize(1);
    assertThat(tuned.warmups().get(0).name()).isEqualTo("four");
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
