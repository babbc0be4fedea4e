package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HeldFileTest {

  @TempDir private Path directory;

  @Test
  void shouldBeReadableAfterItsNameIsGoneAndUntilItIsClosed() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "what was there");
    HeldFile held = HeldFile.open(file);
    Files.delete(file);
    Files.writeString(file, "something else");

    assertThat(held.path()).hasContent("what was there");

    held.close();
    held.close();
    assertThat(held.path()).doesNotExist();
  }

  @Test
  void shouldSayWhyAFileCannotBeOpened() {
    assertThatThrownBy(() -> HeldFile.open(directory.resolve("none")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(directory.resolve("none").toString());
  }
}
