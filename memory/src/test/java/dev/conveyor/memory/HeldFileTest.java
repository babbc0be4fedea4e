package dev.conveyor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
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
    assertThat(target(held)).startsWith(file.toString());

    held.close();
    held.close();
    assertThat(target(held)).as("another thread may have it now").doesNotStartWith(file.toString());
  }

  private static String target(HeldFile held) throws IOException {
    try {
      return Files.readSymbolicLink(held.path()).toString();
    } catch (NoSuchFileException e) {
      return "";
    }
  }

  @Test
  void shouldSayWhyAFileCannotBeOpened() {
    assertThatThrownBy(() -> HeldFile.open(directory.resolve("none")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(directory.resolve("none").toString());
  }
}
