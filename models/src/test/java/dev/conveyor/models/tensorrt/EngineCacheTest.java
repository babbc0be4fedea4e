package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineCacheTest {

  private static final EngineKey KEY = new EngineKey("abc", 90, "H", 101501, 13000, "FP16");
  private static final byte[] ENGINE = {1, 2, 3, 4, 5, 6, 7};

  @TempDir private Path directory;

  @Test
  void shouldBuildOnceAndThenReadIt() throws IOException {
    EngineCache cache = new EngineCache(directory.resolve("engines"));

    assertThat(cache.get(KEY, () -> ENGINE)).isEqualTo(ENGINE);
    assertThat(
            cache.get(
                KEY,
                () -> {
                  throw new AssertionError("built again");
                }))
        .isEqualTo(ENGINE);
    try (Stream<Path> files = Files.list(directory.resolve("engines"))) {
      assertThat(files.map(f -> f.getFileName().toString())).containsExactly(KEY.fileName());
    }
  }

  @Test
  void shouldRemoveWhatABuildThatWasKilledLeft() throws IOException {
    Path dead = Files.writeString(directory.resolve(".a.engine-17.conveyor-part"), "half");
    Files.setLastModifiedTime(dead, FileTime.from(Instant.EPOCH));

    assertThat(new EngineCache(directory).read(KEY)).isEmpty();

    assertThat(dead).doesNotExist();
  }

  @Test
  void shouldBuildForWhateverDiffersInOneThing() {
    List<EngineKey> others =
        List.of(
            new EngineKey("abd", 90, "H", 101501, 13000, "FP16"),
            new EngineKey("abc", 89, "H", 101501, 13000, "FP16"),
            new EngineKey("abc", 90, "I", 101501, 13000, "FP16"),
            new EngineKey("abc", 90, "H", 101502, 13000, "FP16"),
            new EngineKey("abc", 90, "H", 101501, 13010, "FP16"),
            new EngineKey("abc", 90, "H", 101501, 13000, "FP32"),
            new EngineKey("ab", 90, "cH", 101501, 13000, "FP16"));
    EngineCache cache = new EngineCache(directory);
    cache.get(KEY, () -> ENGINE);

    for (EngineKey other : others) {
      assertThat(cache.read(other)).as(other.toString()).isEmpty();
      assertThat(other.fileName()).isNotEqualTo(KEY.fileName());
    }
  }

  @Test
  void shouldNotTakeTheEngineOfAnotherUnderItsName() throws IOException {
    EngineCache cache = new EngineCache(directory);
    EngineKey other = new EngineKey("abc", 80, "A", 101501, 13000, "FP16");
    cache.get(other, () -> ENGINE);
    Files.move(directory.resolve(other.fileName()), directory.resolve(KEY.fileName()));

    assertThat(cache.read(KEY)).isEmpty();
  }

  @Property(tries = 200)
  void shouldBuildAgainWhenAnyByteIsWrong(
      @ForAll @IntRange(max = 86) int at, @ForAll @IntRange(min = 1, max = 255) int flip)
      throws IOException {
    inScratch(
        (cache, file) -> {
          byte[] bytes = Files.readAllBytes(file);
          bytes[at] ^= (byte) flip;
          Files.write(file, bytes);
        });
  }

  @Property(tries = 87)
  void shouldBuildAgainWhenItIsCut(@ForAll @IntRange(max = 86) int length) throws IOException {
    inScratch((cache, file) -> Files.write(file, Arrays.copyOf(Files.readAllBytes(file), length)));
  }

  private interface Damage {
    void to(EngineCache cache, Path file) throws IOException;
  }

  private static void inScratch(Damage damage) throws IOException {
    Path scratch = Files.createTempDirectory("engines");
    EngineCache cache = new EngineCache(scratch);
    Path file = scratch.resolve(KEY.fileName());
    cache.get(KEY, () -> ENGINE);
    assertThat(Files.size(file)).isEqualTo(87);

    damage.to(cache, file);

    assertThat(cache.read(KEY)).isEmpty();
    assertThat(cache.get(KEY, () -> ENGINE)).isEqualTo(ENGINE);
    assertThat(cache.read(KEY)).contains(ENGINE);
    Files.delete(file);
    Files.delete(scratch);
  }

  @Test
  void shouldDoWithoutADirectoryItCannotWrite() throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    EngineCache cache = new EngineCache(file.resolve("engines"));

    assertThat(cache.get(KEY, () -> ENGINE)).isEqualTo(ENGINE);
  }

  @Test
  void shouldKeepNothingOfABuildThatFails() {
    EngineCache cache = new EngineCache(directory);

    assertThatThrownBy(
            () ->
                cache.get(
                    KEY,
                    () -> {
                      throw new IllegalStateException("no");
                    }))
        .hasMessage("no");
    assertThat(directory).isEmptyDirectory();
  }
}
