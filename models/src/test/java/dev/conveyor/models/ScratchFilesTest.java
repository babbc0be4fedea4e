package dev.conveyor.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

final class ScratchFilesTest {

  private static final int FOUND = '!';

  @TempDir private Path directory;

  /** Begins to write the file of its argument, says so, and does not come to the end. */
  static final class Writer {
    public static void main(String[] arguments) throws IOException {
      ScratchFiles.replace(
          Path.of(arguments[0]),
          file -> {
            Channels.newOutputStream(file).write(FOUND);
            System.out.write(FOUND);
            System.out.flush();
            int unused = System.in.read();
          });
    }
  }

  @Test
  @Timeout(60)
  void shouldRemoveWhatAProcessLeftOnceItIsDead() throws IOException, InterruptedException {
    Path engines = Files.createDirectories(directory.resolve("m/1/engines"));
    Process writer = begin(engines.resolve("a.engine"));
    try {
      assertThat(ScratchFiles.sweep(directory, 3)).as("its writer lives").isZero();
      assertThat(names(engines)).hasSize(1);
    } finally {
      assertThat(writer.destroyForcibly().waitFor()).isNotZero();
    }
    assertThat(ScratchFiles.sweep(directory, 2)).as("out of reach").isZero();
    assertThat(ScratchFiles.sweep(directory, 3)).isOne();
    assertThat(names(engines)).isEmpty();
  }

  @Test
  @Timeout(60)
  void shouldRemoveItWithTheNextWriteBesideIt() throws IOException, InterruptedException {
    Process writer = begin(directory.resolve("a.engine"));
    assertThat(writer.destroyForcibly().waitFor()).isNotZero();
    Files.writeString(directory.resolve("somebody's.tmp"), "not ours");

    write(directory.resolve("b.engine"), "whole");

    assertThat(names(directory)).containsExactlyInAnyOrder("b.engine", "somebody's.tmp");
    assertThat(directory.resolve("b.engine")).hasContent("whole");
  }

  @Test
  void shouldLeaveWhatThisProcessWrites() throws IOException {
    Path file = directory.resolve("file");
    ScratchFiles.replace(
        file,
        out -> {
          write(directory.resolve("other"), "at the same time");
          assertThat(ScratchFiles.sweep(directory, 0)).isZero();
          Channels.newOutputStream(out).write(FOUND);
        });
    assertThat(file).hasContent("!");
    assertThat(names(directory)).containsExactlyInAnyOrder("file", "other");
  }

  @Test
  void shouldChangeNothingWhenTheContentFails() throws IOException {
    Path file = directory.resolve("file");
    write(file, "before");
    assertThatThrownBy(
            () ->
                ScratchFiles.replace(
                    file,
                    out -> {
                      Channels.newOutputStream(out).write(FOUND);
                      throw new IOException("disk full");
                    }))
        .hasMessage("disk full");
    assertThat(file).hasContent("before");
    assertThat(names(directory)).containsExactly("file");
  }

  private static Process begin(Path file) throws IOException {
    Process writer =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Writer.class.getName(),
                file.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertThat(writer.getInputStream().read()).isEqualTo(FOUND);
    return writer;
  }

  private static void write(Path file, String text) throws IOException {
    ScratchFiles.replace(
        file, out -> Channels.newOutputStream(out).write(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }
}
