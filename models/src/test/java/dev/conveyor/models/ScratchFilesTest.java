package dev.conveyor.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
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

  /** Removes what writers left that died, and says of how many files. */
  static final class Sweeper {
    public static void main(String[] arguments) {
      System.out.write(ScratchFiles.sweep(Path.of(arguments[0]), 0));
      System.out.flush();
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
  @Timeout(60)
  void shouldKeepTheLockOfWhatThisProcessWritesUnderWhateverNamesItIsFound() throws IOException {
    Path written = Files.createDirectory(directory.resolve("written"));
    Path sameDirectory = Files.createSymbolicLink(directory.resolve("same"), written);
    ScratchFiles.replace(
        written.resolve("file"),
        out -> {
          Path scratch = written.resolve(names(written).get(0));
          Path sameFile = directory.resolve(".same" + scratch.getFileName());
          Files.createSymbolicLink(sameFile, scratch);

          assertThat(ScratchFiles.sweep(sameDirectory, 0)).isZero();
          assertThat(ScratchFiles.sweep(directory, 0)).isZero();

          Process sweeper = java(Sweeper.class, written);
          assertThat(sweeper.getInputStream().read()).as("in another process").isZero();
          assertThat(sameFile).as("what is no file of ours").isSymbolicLink();
        });
    assertThat(written.resolve("file")).isRegularFile();
  }

  @Test
  @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void shouldNotWaitForWhoeverReadsAPipe() throws IOException, InterruptedException {
    Path pipe = directory.resolve(".a.conveyor-part");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();

    assertThat(ScratchFiles.sweep(directory, 0)).isZero();
    assertThat(pipe).exists();
  }

  @Test
  void shouldLeaveForADayWhatAnotherMachineMayWrite() throws IOException {
    Path other = Files.createFile(directory.resolve(".file-0123-4567.conveyor-part"));
    assertThat(ScratchFiles.sweep(directory, 0)).isZero();

    Instant now = Files.getLastModifiedTime(other).toInstant();
    Files.setLastModifiedTime(other, FileTime.from(now.minus(2, ChronoUnit.DAYS)));
    assertThat(ScratchFiles.sweep(directory, 0)).isOne();
    assertThat(names(directory)).isEmpty();
  }

  @Test
  void shouldWriteForItsUserAlone() throws IOException {
    Path file = directory.resolve("file");
    write(file, "secret");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
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
    Process writer = java(Writer.class, file);
    assertThat(writer.getInputStream().read()).isEqualTo(FOUND);
    return writer;
  }

  private static Process java(Class<?> main, Path argument) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            main.getName(),
            argument.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
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
