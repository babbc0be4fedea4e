package dev.conveyor.memory.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PinnedRangeTest {

  private static final int BYTES = 8192;

  @TempDir Path dir;
  private CudaSimulator simulator;
  private Cuda cuda;

  @BeforeEach
  void begin() {
    simulator = Simulators.start("");
    cuda = simulator.cuda();
  }

  @AfterEach
  void end() {
    if (simulator != null) {
      simulator.reset("devices=0");
    }
  }

  private MappedByteBuffer mapped() throws IOException {
    Path file = Files.write(dir.resolve("shared"), new byte[BYTES]);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      return channel.map(FileChannel.MapMode.READ_WRITE, 0, BYTES);
    }
  }

  /** As pinned memory is: read when the device gets to it, which is not before the await. */
  @Test
  void shouldHaveTheDeviceReadAMappedFileByItself() throws IOException {
    MappedByteBuffer file = mapped();
    long stream = cuda.newStream(0);
    long pool = cuda.newPool(0, BYTES);
    long device = cuda.allocate(pool, BYTES, stream);
    try (PinnedRange range = PinnedRange.of(cuda, file)) {
      assertThat(simulator.figure(0, Figure.PINNED_BYTES)).isEqualTo(BYTES);
      cuda.copyToDevice(device, range.address() + 4, 4, stream);
      file.put(4, (byte) 42);
      cuda.copyToHost(range.address(), device, 4, stream);
      cuda.awaitStream(stream);
      assertThat(file.get(0)).isEqualTo((byte) 42);
      assertThat(simulator.figure(0, Figure.PAGEABLE_COPIES)).isZero();
    }
    cuda.free(device, stream);
    cuda.awaitStream(stream);
    cuda.destroyPool(pool);
    cuda.destroyStream(stream);
    assertThat(simulator.figure(0, Figure.PINNED_BYTES)).isZero();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldRefuseWhatIsPinnedAlreadyAndTakeItAgainOnceItIsNot() throws IOException {
    MappedByteBuffer file = mapped();
    PinnedRange range = PinnedRange.of(cuda, file);
    assertThatThrownBy(() -> PinnedRange.of(cuda, file))
        .isInstanceOf(CudaException.class)
        .hasMessageContaining("AlreadyRegistered");
    range.close();
    range.close();

    PinnedRange.of(cuda, file).close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldNotMindThatTheDeviceIsLostWhenItIsGivenBack() throws IOException {
    PinnedRange range = PinnedRange.of(cuda, mapped());
    simulator.inject("cudaHostUnregister", 0, 719, Fault.STICKY);

    range.close();

    assertThat(simulator.violations()).isEmpty();
  }
}
