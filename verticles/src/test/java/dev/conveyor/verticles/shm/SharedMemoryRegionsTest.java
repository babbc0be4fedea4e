package dev.conveyor.verticles.shm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.shm.SharedMemoryRegions.Status;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SharedMemoryRegionsTest {

  private static final int SIZE = 64;

  @TempDir private Path parent;
  private Path directory;
  private ShmFile object;
  private SharedMemoryRegions regions;

  @BeforeEach
  void create() throws IOException {
    directory = Files.createDirectory(parent.resolve("shm"));
    object = ShmFile.in(directory, new byte[SIZE]);
    regions = new SharedMemoryRegions(directory, 2);
  }

  @AfterEach
  void close() {
    regions.close();
  }

  @Test
  void shouldListRegionsByNameAndForgetThem() {
    Status second = new Status("b", object.key(), 16, 48);
    Status first = new Status("a", object.key(), 0, SIZE);
    regions.register(second);
    regions.register(first);
    assertThat(regions.status("")).containsExactly(first, second);
    assertThat(regions.status("b")).containsExactly(second);

    regions.unregister("a");
    regions.unregister("a"); // unknown by now, which is no failure
    assertThat(regions.status("")).containsExactly(second);
    assertFails(
        () -> regions.status("a"),
        ErrorCode.NOT_FOUND,
        "Unable to find system shared memory region: 'a'");
    regions.unregister("");
    assertThat(regions.status("")).isEmpty();
  }

  @Test
  void shouldRefuseASecondRegionOfTheSameNameAndMoreThanThereMayBe() {
    regions.register(new Status("a", object.key(), 0, SIZE));
    assertFails(
        () -> regions.register(new Status("a", object.key(), 0, 1)),
        ErrorCode.ALREADY_EXISTS,
        "shared memory region 'a' already in manager");
    regions.register(new Status("b", object.key(), 0, SIZE));
    assertFails(
        () -> regions.register(new Status("c", object.key(), 0, SIZE)),
        ErrorCode.QUEUE_FULL,
        "shared memory region 'c': limits.max_shared_memory_regions=2 are registered");
    regions.unregister("a");
    regions.register(new Status("c", object.key(), 0, SIZE));
  }

  @Test
  void shouldTakeNothingWhereItIsOff() {
    SharedMemoryRegions off = new SharedMemoryRegions(directory, 0);
    assertThat(off.isEnabled()).isFalse();
    assertThat(off.status("")).isEmpty();
    off.unregister("a");
    for (ThrowingCallable call :
        new ThrowingCallable[] {
          () -> off.register(new Status("a", object.key(), 0, SIZE)),
          () -> off.slice(new RegionRef("a", 0, 1))
        }) {
      assertFails(
          call,
          ErrorCode.UNSUPPORTED,
          "shared memory is not enabled: limits.max_shared_memory_regions is 0");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 65",
    "1, 64",
    "64, 1",
    "65, 0",
    "0, 0",
    "-1, 8",
    "0, -1",
    "8, 9223372036854775807",
    "9223372036854775807, 9223372036854775807"
  })
  void shouldRefuseWhatIsNotInTheObject(long offset, long byteSize) {
    assertFails(
        () -> regions.register(new Status("a", object.key(), offset, byteSize)),
        ErrorCode.INVALID_REQUEST,
        "failed to register shared memory region 'a': invalid args");
    assertThat(regions.status("")).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "/",
        ".",
        "..",
        "/..",
        "../outside",
        "/../outside",
        "//outside",
        "sub/inside",
        "link",
        "dangling",
        "folder",
        "absent",
        "nul\0l"
      })
  void shouldOpenNothingButPlainObjects(String key) throws IOException {
    byte[] bytes = new byte[SIZE];
    Path outside = Files.write(parent.resolve("outside"), bytes);
    Files.createSymbolicLink(directory.resolve("link"), outside);
    Files.createSymbolicLink(directory.resolve("dangling"), parent.resolve("nothing"));
    Files.createDirectory(directory.resolve("folder"));
    Files.createDirectory(directory.resolve("sub"));
    Files.write(directory.resolve("sub/inside"), bytes);
    assertFails(
        () -> regions.register(new Status("a", key, 0, SIZE)),
        ErrorCode.INVALID_REQUEST,
        "Unable to open shared memory region: '" + key + "'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"conveyor-1", "/conveyor-1"})
  void shouldNotOpenWhatTheServerKeepsThereItself(String key) throws IOException {
    Files.write(directory.resolve("conveyor-1"), new byte[SIZE]);
    assertFails(
        () -> regions.register(new Status("a", key, 0, SIZE)),
        ErrorCode.INVALID_REQUEST,
        "cannot register shared memory region 'a' with key '"
            + key
            + "' as the key contains the reserved prefix 'conveyor-'");
  }

  @ParameterizedTest
  @CsvSource({
    "40, 0, Invalid offset for shared memory region: 'a'",
    "9223372036854775807, 8, Invalid offset for shared memory region: 'a'",
    "39, 2, Invalid offset + byte size for shared memory region: 'a'",
    "8, 9223372036854775807, Invalid offset + byte size for shared memory region: 'a'"
  })
  void shouldKeepTensorsInsideTheirRegion(long offset, long byteSize, String message) {
    regions.register(new Status("a", object.key(), 8, 40));
    assertFails(
        () -> regions.slice(new RegionRef("a", offset, byteSize)),
        ErrorCode.INVALID_REQUEST,
        message);
    assertFails(
        () -> regions.slice(new RegionRef("other", 0, 1)),
        ErrorCode.NOT_FOUND,
        "Unable to find shared memory region: 'other'");
  }

  @Test
  void shouldReadAndWriteAtTheOffsetsOfRegionAndTensor() {
    object.write(19, new byte[] {7, 8, 9});
    regions.register(new Status("a", object.key(), 16, 32));
    try (RegionSlice slice = regions.slice(new RegionRef("a", 3, 3))) {
      ByteBuffer target = ByteBuffer.allocate(3);
      slice.read(target);
      assertThat(target.array()).containsExactly(7, 8, 9);
      slice.write(ByteBuffer.wrap(new byte[] {1, 2}));
    }
    assertThat(object.bytes()).hasSize(SIZE).startsWith(new byte[19]).contains(1, 2, 9);
  }

  @Test
  void shouldKeepAnObjectOpenForThoseWhoUseItAfterItIsUnregistered() throws IOException {
    regions.register(new Status("a", object.key(), 0, SIZE));
    long open = openObjects();
    RegionSlice first = regions.slice(new RegionRef("a", 0, 4));
    RegionSlice second = regions.slice(new RegionRef("a", 4, 4));
    regions.unregister("a");
    first.close();
    first.close();
    second.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}));
    assertThat(openObjects()).isEqualTo(open);
    second.close();
    assertThat(openObjects()).isEqualTo(open - 1);
    assertThat(object.bytes()).startsWith(0, 0, 0, 0, 1, 2, 3, 4);
  }

  @Test
  void shouldFailAndNotGrowAnObjectThatWasCutShort() {
    regions.register(new Status("a", object.key(), 0, SIZE));
    object.truncate(SIZE - 1);
    String message = "shared memory region 'a' has become shorter than it was registered";
    try (RegionSlice slice = regions.slice(new RegionRef("a", SIZE - 4, 4))) {
      assertFails(() -> slice.read(ByteBuffer.allocate(4)), ErrorCode.INVALID_REQUEST, message);
      assertFails(() -> slice.write(ByteBuffer.allocate(4)), ErrorCode.INVALID_REQUEST, message);
    }
    assertThat(object.bytes()).hasSize(SIZE - 1);
  }

  /** Returns how often this process has the object open. */
  private long openObjects() throws IOException {
    try (var descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors.filter(this::isObject).count();
    }
  }

  private boolean isObject(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString().endsWith(object.key());
    } catch (IOException closedMeanwhile) {
      return false;
    }
  }

  private static void assertFails(ThrowingCallable call, ErrorCode code, String message) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(InferenceException.class, e -> assertThat(e.code()).isEqualTo(code))
        .hasMessage(message);
  }
}
