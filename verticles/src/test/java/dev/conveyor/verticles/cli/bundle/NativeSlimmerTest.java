package dev.conveyor.verticles.cli.bundle;

import static dev.conveyor.verticles.cli.bundle.SyntheticElf.CUBIN;
import static dev.conveyor.verticles.cli.bundle.SyntheticElf.fatBinary;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.cli.bundle.SyntheticElf.Code;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeSlimmerTest {

  private static final byte[] CODE =
      fatBinary(new Code(CUBIN, 80, 64, 500), new Code(CUBIN, 90, 64, 300));
  private static final byte[] LIBRARY = SyntheticElf.file(".nv_fatbin", CODE);

  @TempDir private Path directory;

  @Test
  void shouldFindTheSectionByItsName() {
    ByteBuffer file = ByteBuffer.wrap(LIBRARY);

    assertThat(ElfSections.named(file, ".nv_fatbin"))
        .singleElement()
        .isEqualTo(ByteBuffer.wrap(CODE));
    assertThat(ElfSections.named(file, ".data")).isEmpty();
    assertThat(ElfSections.named(ByteBuffer.wrap(new byte[100]), ".nv_fatbin")).isEmpty();
  }

  @Test
  void shouldRefuseAFileThatEndsBeforeItsSections() {
    ByteBuffer half = ByteBuffer.wrap(LIBRARY).slice(0, LIBRARY.length / 2);

    assertThatThrownBy(() -> ElfSections.named(half, ".nv_fatbin"))
        .isInstanceOf(BundleException.class);
  }

  @Test
  void shouldSlimALibraryInPlace() throws IOException {
    Path library = Files.write(directory.resolve("libx.so"), LIBRARY);
    NativeSlimmer slimmer = new NativeSlimmer(90, directory);

    slimmer.slim(library);

    assertThat(Files.readAllBytes(library)).isEqualTo(slimmed());
    assertThat(slimmer.total().blankedBytes()).isEqualTo(500);
  }

  @Test
  void shouldSlimLibrariesWithinJarsAndLeaveOutWhatNobodyNeeds() throws IOException {
    Path jar = directory.resolve("x.jar");
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      put(out, "org/x/libx.so.1", LIBRARY);
      put(out, "org/x/liby.so", LIBRARY);
      put(out, "org/x/X.class", new byte[] {1, 2, 3});
    }
    NativeSlimmer slimmer = new NativeSlimmer(90, directory);
    Path copy = directory.resolve("copy.jar");

    slimmer.copyJar(jar, copy, entry -> entry.endsWith("liby.so"));

    try (JarFile copied = new JarFile(copy.toFile())) {
      assertThat(copied.stream().map(ZipEntry::getName))
          .containsExactly("org/x/libx.so.1", "org/x/X.class");
      assertThat(read(copied, "org/x/libx.so.1")).isEqualTo(slimmed());
      assertThat(read(copied, "org/x/X.class")).containsExactly(1, 2, 3);
    }
  }

  @Test
  void shouldTakeEachLibraryUnderTheNameThatProgramsAreLinkedTo() throws IOException {
    Path toolkit = Files.createDirectories(directory.resolve("toolkit/lib"));
    Files.write(toolkit.resolve("libcudart.so.13.0.88"), LIBRARY);
    Files.createSymbolicLink(toolkit.resolve("libcudart.so.13"), Path.of("libcudart.so.13.0.88"));
    Files.createSymbolicLink(toolkit.resolve("libcudart.so"), Path.of("libcudart.so.13"));
    Files.write(toolkit.resolve("libnvinfer_builder_resource_sm90.so.10.15.1"), LIBRARY);
    Files.write(toolkit.resolve("libnvinfer_builder_resource_sm120.so.10.15.1"), LIBRARY);
    Files.write(toolkit.resolve("libcupti.so.13"), LIBRARY);
    Path target = directory.resolve("native");

    assertThat(NativeLibraries.copy(toolkit.getParent(), target, 90))
        .containsExactlyInAnyOrder(
            target.resolve("libcudart.so.13"),
            target.resolve("libnvinfer_builder_resource_sm90.so.10.15.1"));
    assertThat(target.resolve("libcudart.so.13")).hasBinaryContent(LIBRARY);
  }

  private static byte[] slimmed() {
    byte[] expected = LIBRARY.clone();
    for (int i = 64 + 16 + 64; i < 64 + 16 + 64 + 500; i++) {
      expected[i] = 0;
    }
    return expected;
  }

  private static void put(JarOutputStream out, String name, byte[] content) throws IOException {
    out.putNextEntry(new JarEntry(name));
    out.write(content);
    out.closeEntry();
  }

  private static byte[] read(JarFile jar, String name) throws IOException {
    try (InputStream in = jar.getInputStream(jar.getEntry(name))) {
      return in.readAllBytes();
    }
  }
}
