package dev.conveyor.models;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ScratchFilesTest {

  @TempDir private Path directory;

  @Test
  void shouldRemoveWhatOthersLeftWhoDiedAndNothingElse() throws IOException {
    Path now = Files.createFile(directory.resolve("now"));
    long nowMs = Files.getLastModifiedTime(now).toMillis();
    Path dead = file("engine1.tmp", nowMs - 3_600_000);
    Path young = file("engine2.tmp", nowMs - 60_000);
    Path other = file("timings3.tmp", nowMs - 3_600_000);
    Path whole = file("engine4.bin", nowMs - 3_600_000);

    Path scratch = ScratchFiles.create(directory, "engine");

    assertThat(dead).doesNotExist();
    try (Stream<Path> left = Files.list(directory)) {
      assertThat(left).containsExactlyInAnyOrder(now, young, other, whole, scratch);
    }
  }

  private Path file(String name, long modifiedMs) throws IOException {
    Path file = Files.createFile(directory.resolve(name));
    return Files.setLastModifiedTime(file, FileTime.fromMillis(modifiedMs));
  }
}
