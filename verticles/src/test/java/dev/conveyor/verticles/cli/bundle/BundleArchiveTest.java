package dev.conveyor.verticles.cli.bundle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundleArchiveTest {

  @Property(tries = 50)
  void shouldGiveTheSameBytesBackInPartsOfTheSize(
      @ForAll @IntRange(max = 2000) int bytes, @ForAll @IntRange(min = 1, max = 700) int partBytes)
      throws IOException {
    Path directory = Files.createTempDirectory("parts");
    byte[] content = new byte[bytes];
    new Random(bytes).nextBytes(content);
    PartsOutputStream out = new PartsOutputStream(directory, "x", partBytes);
    try (out) {
      out.write(content);
    }

    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    for (String part : out.sums().keySet()) {
      byte[] read = Files.readAllBytes(directory.resolve(part));
      assertThat(read.length).isBetween(1, partBytes);
      joined.write(read);
      Files.delete(directory.resolve(part));
    }
    Files.delete(directory); // So there are no others.
    assertThat(joined.toByteArray()).isEqualTo(content);
  }

  @Test
  void shouldRefuseToUnpackWhatIsDamaged(@TempDir Path directory) throws Exception {
    Path root = Files.createDirectories(directory.resolve("it"));
    Files.writeString(root.resolve("file"), "text");
    Path out = directory.resolve("out");
    assertThat(BundleArchive.pack(root, out, 50)).hasSizeGreaterThan(1);

    assertThat(unpack(out, directory.resolve("whole"))).isZero();
    assertThat(directory.resolve("whole/it/file")).hasContent("text");

    byte[] part = Files.readAllBytes(out.resolve("it.tar.gz.001"));
    part[0] ^= 1;
    Files.write(out.resolve("it.tar.gz.001"), part);
    assertThat(unpack(out, directory.resolve("damaged"))).isEqualTo(1);
    assertThat(directory.resolve("damaged/it")).doesNotExist();
  }

  @Test
  void shouldReadSizes() {
    assertThat(BundleCommand.bytes("60M")).isEqualTo(60L << 20);
    assertThat(BundleCommand.bytes("7")).isEqualTo(7);
    assertThatThrownBy(() -> BundleCommand.bytes("0M"))
        .hasMessage("--parts: expected a size such as 60M, found \"0M\"");
  }

  private static int unpack(Path parts, Path target) throws Exception {
    return new ProcessBuilder(parts.resolve("unpack.sh").toString(), target.toString())
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start()
        .waitFor();
  }
}
