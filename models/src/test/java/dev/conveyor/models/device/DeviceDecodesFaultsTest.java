package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.device.sim.HostJpegs;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** The step that decodes, on a device that refuses, is full, hangs or is lost. */
class DeviceDecodesFaultsTest extends DecodeCase {

  private void assertOnHost() {
    try (Tensor found = decode(Map.of(), jpeg(), jpeg());
        Tensor expected = decodeOnHost(Map.of(), jpeg(), jpeg())) {
      assertThat(found.isOnDevice()).isFalse();
      assertThat(bytes(found)).isEqualTo(bytes(expected));
    }
  }

  @Test
  void shouldDecodeOnTheHostWhatTheLibraryRefuses() {
    int[] asked = {0};
    HostJpegs decoder = new HostJpegs();
    simulator.decodeJpegs(
        (data, bytes, channels, pixels, room) ->
            asked[0]++ == 1 ? 1 : decoder.decode(data, bytes, channels, pixels, room));
    assertOnHost();
    assertThat(asked[0]).as("the first image, too").isEqualTo(2);
    decode(Map.of(), jpeg()).close();
    assertThat(place.residents().lends()).isEqualTo(2);
    assertNothingLeft();
  }

  @Test
  void shouldDecodeOnTheHostWithoutRoomBetweenSteps() {
    placeOn(simulator.cuda(), 4 << 10);
    assertOnHost();
    assertThat(place.decodesImages()).isTrue();
    assertNothingLeft();
  }

  @Test
  void shouldDecodeOnTheHostOnceTheDeviceHasRefusedTheKernel() {
    simulator.inject("cuModuleLoadData", 0, 200, Fault.RETURNED);
    assertOnHost();
    assertThat(place.decodesImages()).isFalse();
    assertOnHost();
    assertNothingLeft();
  }

  @Test
  void shouldNotWaitForADeviceThatHangs() {
    simulator.inject("nvjpegDecode", 0, 0, Fault.HANGING);
    List<Tensor> decoded = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      decoded.add(decode(Map.of(), jpeg()));
    }
    assertThat(decoded.get(0).isOnDevice()).isTrue();
    assertThat(decoded.get(4).data().capacity()).isPositive();
    decoded.forEach(Tensor::close);
    place.close();
    assertThat(device.holders()).as("what it may still use").containsKey("GPU0/decoding");
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldFailOnALostDevice() {
    simulator.inject("cuLaunchKernel", 0, 719, Fault.STICKY);
    assertThatThrownBy(() -> decode(Map.of(), jpeg()))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");
    assertLostAndNothingHeld();
  }

  private void assertLostAndNothingHeld() {
    assertThat(place.lost()).contains("719");
    assertThat(place.decodesImages() || place.worksOnPixels()).isFalse();
    place.close();
    pinned.close();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.violations()).isEmpty();
  }

  private void lose() {
    simulator.inject("cudaMemGetInfo", 0, 719, Fault.STICKY);
    assertThatThrownBy(() -> simulator.cuda().freeBytes()).hasMessageContaining("719");
  }

  @Test
  void shouldTellOfADeviceThatWasLostBetweenTwoRequests() {
    decode(Map.of(), jpeg()).close();
    lose();
    assertThatThrownBy(() -> decode(Map.of(), jpeg()))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");
    assertLostAndNothingHeld();
  }

  @Test
  void shouldTellOfADeviceThatIsLostToWhatIsDoneWithPixels() {
    Tensor pixels = decode(Map.of(), jpeg());
    lose();
    Map<String, String> size = Map.of("width", "9", "height", "7");
    assertThatThrownBy(() -> run(there(), "resize", size, pixels))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");
    pixels.close();
    assertLostAndNothingHeld();
  }

  @Test
  void shouldTellOfADeviceThatIsLostToWhoReadsOnTheHost() {
    Tensor pixels = decode(Map.of(), jpeg());
    lose();
    assertThatThrownBy(pixels::data)
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");
    pixels.close();
    assertLostAndNothingHeld();
  }

  @Test
  void shouldTellOfADeviceThatIsLostWhenItsMemoryIsGivenBack() {
    decode(Map.of(), jpeg()).close();
    lose();
    place.trimSteps();
    assertLostAndNothingHeld();
  }

  /** From which tensors were read here; so errors of it may be told here. */
  @Test
  void shouldBlameAnotherDeviceThatIsLost() {
    begin(ADVERSE + "1 devices=2");
    List<String> lost = new ArrayList<>();
    MemoryBudget otherDevice = new MemoryBudget("GPU1", 64 * MIB);
    ResidentPool other = new ResidentPool(simulator.cuda(), 1, otherDevice, pinned, lost::add);
    readFrom(other);
    simulator.cuda().useDevice(1);
    lose();
    simulator.inject("cudaEventRecord", 0, 719, Fault.RETURNED);

    assertThatThrownBy(() -> decode(Map.of(), jpeg()))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");

    assertThat(place.lost()).isNull();
    assertThat(lost).singleElement().asString().contains("719");
    try (Tensor next = decode(Map.of(), jpeg())) {
      assertThat(next.isOnDevice()).isTrue();
      assertThat(next.data().capacity()).isPositive();
    }
    other.close();
    simulator.cuda().useDevice(0);
    place.close();
    pinned.close();
    assertThat(device.reservedBytes() + otherDevice.reservedBytes() + host.reservedBytes())
        .isZero();
  }

  private void readFrom(ResidentPool other) {
    Cuda cuda = simulator.cuda();
    cuda.useDevice(1);
    long stream = cuda.newStream(0);
    ResidentBlock block = Objects.requireNonNull(other.tryAllocate(MIB, stream));
    cuda.useDevice(0);
    long here = cuda.newStream(0);
    ResidentBlock target = Objects.requireNonNull(place.residents().tryAllocate(MIB, here));
    ResidentBytes bytes = ResidentBytes.in(block, 0, 8);
    assertThat(place.residents().peers().tryEnqueue(bytes, true, target.address, here)).isTrue();
    cuda.awaitStream(here);
    bytes.close();
    block.leave();
    target.leave();
    cuda.destroyStream(here);
    cuda.useDevice(1);
    cuda.destroyStream(stream);
  }

  @Test
  void shouldTakeAnewWhatWasTrimmed() {
    for (int i = 0; i < 3; i++) {
      try (Tensor decoded = decode(Map.of(), jpeg())) {
        assertThat(decoded.data().capacity()).as("awaited").isPositive();
      }
      assertThat(device.reservedBytes()).isPositive();
      place.trimSteps();
      assertThat(device.reservedBytes()).isZero();
    }
    assertNothingLeft();
  }
}
