package dev.conveyor.verticles.cli.bundle;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibrariesTest {

  @TempDir Path directory;

  /** The names are those of NVIDIA's packages for CUDA 13. */
  @Test
  void shouldTakeWhatImagesAreDecodedWith() throws IOException {
    Path from = Files.createDirectories(directory.resolve("from/nvidia/cu13/lib"));
    for (String name :
        List.of(
            "libnvrtc.so.13",
            "libnvrtc.alt.so.13",
            "libnvrtc-builtins.so.13.0",
            "libnvrtc-builtins.alt.so.13.0",
            "libnvjpeg.so.13",
            "libcusolver.so.12",
            "libnvjpeg_static.a")) {
      Files.writeString(from.resolve(name), name);
    }

    List<Path> copies =
        NativeLibraries.copy(directory.resolve("from"), directory.resolve("native"), 90);

    assertThat(copies)
        .extracting(copy -> String.valueOf(copy.getFileName()))
        .containsExactlyInAnyOrder(
            "libnvrtc.so.13", "libnvrtc-builtins.so.13.0", "libnvjpeg.so.13");
    assertThat(copies).allSatisfy(copy -> assertThat(copy).hasContent(copy.toFile().getName()));
  }
}
