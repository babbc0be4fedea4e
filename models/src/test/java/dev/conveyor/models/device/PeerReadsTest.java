package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.sim.SimulatedChain;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Outputs that stay on one device and are read by a model on another. */
class PeerReadsTest extends ResidentCase {

  private static final int LAUNCH_FAILURE = 719;
  private static final int NOT_SUPPORTED = 801;
  private static final long ITEMS = 6L * BATCHES;
  private static final long BYTES = ITEMS * SECOND.inWords() * Integer.BYTES;

  private ResidentPool there;
  private final List<String> lost = new ArrayList<>();
  private final List<String> otherLost = new ArrayList<>();

  private void beginPeers(String settings) {
    begin(settings);
    there = residentsOfOther();
  }

  private ResidentPool residentsOfOther() {
    return new ResidentPool(simulator.cuda(), 1, otherDevice, pinned, reason -> {});
  }

  private void chainAcross(SimulatedModel model, Cuda second, int batches) {
    SimulatedChain chain = new SimulatedChain(SECOND, tally);
    try (SimulatedInstance one = load(simulator.cuda(), model, chain);
        SimulatedInstance two = loadOnOther(second, there)) {
      chain.run(one, two, batches, () -> staying(1, 3, 2));
    }
  }

  private void chainAcross() {
    chainAcross(FIRST, simulator.cuda(), BATCHES);
  }

  private void assertAnswered() {
    assertThat(tally.answered()).isEqualTo(3 * BATCHES);
    assertThat(tally.wrong() + tally.unexpected() + tally.open()).isZero();
  }

  private void assertNothingLeftOnBoth() {
    there.close();
    simulator.cuda().useDevice(0);
    assertNothingLeft();
    assertThat(otherDevice.reservedBytes()).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldCopyStraightFromDeviceToDeviceOnStreamsThatAreOutOfStep(int seed) {
    beginPeers(ADVERSE + seed);
    chainAcross();
    assertAnswered();
    assertThat(simulator.figure(0, Figure.PEER_BYTES)).isEqualTo(BYTES);
    assertThat(simulator.figure(0, Figure.STAGED_BYTES)).isZero();
    assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
        .as("only what the second model gives")
        .isEqualTo(ITEMS * SECOND.outWords() * Integer.BYTES);
    assertThat(there.peers().directBytes()).isEqualTo(BYTES);
    assertThat(there.peers().stagedBytes()).isZero();
    assertNothingLeftOnBoth();
  }

  @Test
  void shouldBeSeenWhenTheReaderDoesNotWaitForWhatTheOtherDeviceWrites() {
    for (int seed = 1; seed <= 8; seed++) {
      beginPeers(ADVERSE + seed);
      // Each batch of the second model waits for its inputs, its copies and its computing.
      Cuda hasty = DroppedCall.in(simulator.cuda(), "waitFor", 3, 0);
      chainAcross(ALONE, hasty, 4 * BATCHES);
      assertThat(tally.wrong()).as("seed %d", seed).isPositive();
    }
  }

  @Test
  void shouldHaveTheDriverTakeItOverTheHostWithoutPeerAccess() {
    beginPeers(ADVERSE + "1 peers=0");
    chainAcross();
    assertAnswered();
    assertThat(simulator.figure(0, Figure.STAGED_BYTES)).isEqualTo(BYTES);
    assertThat(simulator.figure(0, Figure.PEER_BYTES)).isZero();
    assertThat(there.peers().stagedBytes()).isEqualTo(BYTES);
    assertThat(there.peers().takesFrom("gpu-0")).isTrue();
    assertNothingLeftOnBoth();
  }

  @Test
  void shouldHaveTheDriverTakeItOverTheHostWhenAccessIsRefused() {
    beginPeers(ADVERSE + 1);
    simulator.inject("cudaMemPoolSetAccess", 0, NOT_SUPPORTED, Fault.RETURNED);
    chainAcross();
    assertAnswered();
    assertThat(simulator.figure(0, Figure.STAGED_BYTES)).isEqualTo(BYTES);
    assertNothingLeftOnBoth();
  }

  @Test
  void shouldReadOnTheHostFromADeviceThatRefusesTheCopy() {
    beginPeers(ADVERSE + 1);
    simulator.inject("cudaMemcpyPeerAsync", 2, NOT_SUPPORTED, Fault.RETURNED);
    chainAcross();
    assertAnswered();
    assertThat(there.peers().takesFrom("gpu-0")).as("nothing more is left there").isFalse();
    assertThat(simulator.figure(0, Figure.PEER_BYTES)).isPositive().isLessThan(BYTES);
    assertNothingLeftOnBoth();
  }

  /** Returns a request that reads what the first model has left on its device, all of it. */
  private SimulatedRequest readerOf(SimulatedInstance first) {
    List<SimulatedRequest> requests = staying(2);
    runFirst(first, requests);
    ResidentBytes left = (ResidentBytes) given.tensors.get(0).lateBytes();
    simulator.cuda().awaitEvent(left.block().written);
    return SimulatedRequest.of(SECOND, 2, requests.get(0).expected(), given.tensors.get(0));
  }

  private void loseFirstDevice() {
    simulator.cuda().useDevice(0);
    simulator.inject("cudaMemGetInfo", 0, LAUNCH_FAILURE, Fault.STICKY);
    assertThatThrownBy(() -> simulator.cuda().freeBytes()).hasMessageContaining("719");
  }

  private SimulatedRequest well() {
    return SimulatedRequest.leased(SECOND, 1, pinned, random);
  }

  private void submit(SimulatedInstance instance, SimulatedRequest request) {
    List<SimulatedRequest> batch = List.of(request);
    tally.submitting(batch);
    instance.pipeline().submit(batch);
  }

  private void beginLossy() {
    beginPeers("devices=2 latency_ns=1000000 copy_ns=1000");
    residents = new ResidentPool(simulator.cuda(), 0, device, pinned, lost::add);
    there = new ResidentPool(simulator.cuda(), 1, otherDevice, pinned, otherLost::add);
  }

  private void assertLedgersEmpty() {
    residents.close();
    there.close();
    pinned.close();
    assertThat(device.reservedBytes() + otherDevice.reservedBytes() + host.reservedBytes())
        .isZero();
  }

  @Test
  void shouldFailOnlyTheRequestWhenTheOtherDeviceIsLost() {
    beginLossy();
    try (SimulatedInstance second = loadOnOther(simulator.cuda(), there)) {
      SimulatedInstance first = load(simulator.cuda(), FIRST, given);
      SimulatedRequest reader = readerOf(first);
      loseFirstDevice();

      assertThatThrownBy(() -> second.pipeline().submit(List.of(reader)))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("a tensor on gpu-0 cannot be read");
      reader.close();

      assertThat(lost).hasSize(1);
      assertThat(second.pipeline().lost()).isNull();
      readBySecond(second, List.of(well()));
      first.close();
    }
    assertThat(otherLost).isEmpty();
    assertLedgersEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shouldBlameTheDeviceThatIsLostBeforeACopyFromThereHasRun(boolean told) {
    beginLossy();
    try (SimulatedInstance second = loadOnOther(simulator.cuda(), there)) {
      SimulatedInstance first = load(simulator.cuda(), FIRST, given);
      SimulatedRequest reader = readerOf(first);
      submit(second, well());
      submit(second, reader);
      submit(second, well());
      loseFirstDevice();
      if (told) { // To who asks the reader's device how it is.
        simulator.inject("cudaMemGetInfo", 0, LAUNCH_FAILURE, Fault.RETURNED);
      }

      while (second.pipeline().await()) {
        // Until all have ended.
      }

      assertThat(tally.answered()).as("by batches that have read nothing there").isEqualTo(2);
      assertThat(tally.failures())
          .singleElement()
          .extracting(ExecutionException::kind)
          .isEqualTo(ExecutionException.Kind.RUN);
      assertThat(tally.wrong()).isZero();
      assertThat(second.pipeline().lost()).isNull();
      readBySecond(second, List.of(well()));
      first.close();
    }
    assertThat(lost).isNotEmpty();
    assertThat(otherLost).isEmpty();
    assertLedgersEmpty();
  }

  @Test
  void shouldBlameTheReadersDeviceIfThatIsTheOneThatIsLost() {
    beginLossy();
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    SimulatedInstance second = loadOnOther(simulator.cuda(), there);
    SimulatedRequest reader = readerOf(first);
    simulator.inject("cudaMemcpyPeerAsync", 0, LAUNCH_FAILURE, Fault.RUNNING);
    submit(second, reader);

    assertThat(second.pipeline().await()).isTrue();

    assertThat(second.pipeline().lost()).contains("719");
    assertThat(lost).isEmpty();
    second.close();
    simulator.cuda().useDevice(0);
    first.close();
    assertLedgersEmpty();
  }

  @Test
  void shouldKeepWhatIsReadUntilTheReaderIsOver() {
    beginPeers("devices=2 latency_ns=1000000 copy_ns=1000");
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given);
        SimulatedInstance second = loadOnOther(simulator.cuda(), there)) {
      List<SimulatedRequest> requests = staying(2);
      runFirst(first, requests);
      Tensor tensor = given.tensors.get(0);
      List<SimulatedRequest> readers =
          List.of(SimulatedRequest.of(SECOND, 2, requests.get(0).expected(), tensor.tryShare()));
      tally.submitting(readers);
      second.pipeline().submit(readers);
      tensor.close(); // Its client has gone; the copy has not begun.
      assertThat(residents.lent()).isEqualTo(1);
      assertThat(second.pipeline().await()).isTrue();
      assertThat(tally.answered()).isEqualTo(1);
      assertThat(tally.wrong()).isZero();
      assertThat(residents.lent()).isZero();
    }
    assertNothingLeftOnBoth();
  }
}
