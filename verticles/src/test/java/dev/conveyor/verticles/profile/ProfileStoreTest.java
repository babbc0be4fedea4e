package dev.conveyor.verticles.profile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.onnx.OnnxBackend;
import dev.conveyor.scheduler.profile.CostSample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ProfileStoreTest {

  private static final List<CostSample> SAMPLES =
      List.of(
          new CostSample(1, 1000),
          new CostSample(1, 1100),
          new CostSample(8, 5_000_000_000L),
          new CostSample(8, 3_000_000_000L, true),
          new CostSample(16, 6_000_000_000L, true));

  @TempDir private Path dir;
  private Path version;
  private Path file;
  private ProfileStore store;

  @BeforeEach
  void makeVersion() throws IOException {
    version = Files.createDirectories(dir.resolve("models/m/1"));
    file = version.resolve("profile-CPU.json");
    store = new ProfileStore(dir.resolve("cache"));
  }

  @Test
  void shouldGiveBackWhatWasStoredNextToTheModel() throws IOException {
    assertThat(store.read(key("2"))).isEmpty();
    assertThat(store.write(key("2"), SAMPLES)).contains(file);

    assertThat(store.read(key("2"))).isEqualTo(SAMPLES);
    assertThat(store.write(key("2"), SAMPLES.subList(0, 1))).contains(file);
    assertThat(store.read(key("2"))).isEqualTo(SAMPLES.subList(0, 1));
    try (var files = Files.list(version)) {
      assertThat(files).as("no temporary file stays").containsExactly(file);
    }
  }

  @Test
  void shouldNotUseWhatWasMeasuredUnderOtherConditions() {
    store.write(key("2"), SAMPLES);

    assertThat(store.read(key("1"))).isEmpty();
    assertThat(store.read(new ProfileKey(version, "CPU", Map.of("threads", "2", "model", "x"))))
        .isEmpty();
  }

  @Test
  void shouldStoreInTheCacheIfTheDirectoryOfTheModelTakesNoFiles() {
    ProfileKey gone = new ProfileKey(dir.resolve("models/gone/1"), "GPU/0", Map.of());

    assertThat(store.write(gone, SAMPLES))
        .hasValueSatisfying(path -> assertThat(path).startsWith(dir.resolve("cache")));
    assertThat(store.read(gone)).isEqualTo(SAMPLES);
  }

  @Test
  void shouldStoreNothingIfNoPlaceTakesFiles() throws IOException {
    Path blocked = Files.writeString(dir.resolve("blocked"), "");
    ProfileKey gone = new ProfileKey(dir.resolve("models/gone/1"), "CPU", Map.of());

    assertThat(new ProfileStore(blocked.resolve("cache")).write(gone, SAMPLES)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "[]",
        "{}",
        "{\"format\": 2}",
        "{\"format\": 1}",
        "{\"format\": \"1\"}",
        "{\"format\": 1, \"conditions\": {\"threads\": \"2\"}}",
        "{\"format\": 1, \"conditions\": {\"threads\": \"2\"}, \"sizes\": [1]}",
        "{\"format\": 1, \"conditions\": {\"threads\": \"2\"}, \"sizes\": [{}]}",
        "{\"format\": 1, \"conditions\": {\"threads\": \"2\"},"
            + " \"sizes\": [{\"batch_size\": 0, \"ns\": [1]}]}",
        "{\"format\": 1, \"conditions\": {\"threads\": \"2\"},"
            + " \"sizes\": [{\"batch_size\": 2000000000, \"ns\": [1]}]}",
        "{\"format\": 1, \"conditions\": {\"threads\": \"2\"},"
            + " \"sizes\": [{\"batch_size\": 1, \"ns\": [-1]}]}",
        "{\"format\": 1, \"conditions\": {\"threads\": \"2\"},"
            + " \"sizes\": [{\"batch_size\": 1, \"ns\": [\"x\"]}]}",
      })
  void shouldIgnoreWhatIsNoProfile(String text) throws IOException {
    Files.writeString(file, text);

    assertThat(store.read(key("2"))).isEmpty();
  }

  @Test
  void shouldChangeTheKeyWithTheModelTheThreadsAndTheParameters() throws IOException {
    Path model = Files.writeString(version.resolve("model.onnx"), "weights");
    ProfileKey before = onCpu(model, 2, Map.of());

    assertThat(onCpu(model, 2, Map.of())).isEqualTo(before);
    assertThat(onCpu(model, 1, Map.of())).isNotEqualTo(before);
    assertThat(onCpu(model, 1, Map.of()))
        .isNotEqualTo(
            ProfileKey.Subject.of(model, new OnnxBackend(), Map.of()).onCpu("CPU", 2, 1, 2));
    assertThat(onCpu(model, 2, Map.of("a", "b"))).isNotEqualTo(before);
    assertThat(before.directory()).isEqualTo(version.toAbsolutePath());
    assertThat(before.conditions().get("backend")).matches("onnxruntime 1\\.[0-9.]+");
    Files.writeString(model, "weightz");
    assertThat(onCpu(model, 2, Map.of())).isNotEqualTo(before);
  }

  private static ProfileKey onCpu(Path model, int threads, Map<String, String> parameters)
      throws IOException {
    return ProfileKey.Subject.of(model, new OnnxBackend(), parameters)
        .onCpu("CPU", 2, threads, threads);
  }

  private ProfileKey key(String threads) {
    return new ProfileKey(version, "CPU", Map.of("threads", threads));
  }
}
