package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.device.sim.SimulatedChain;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Outputs that would stay on the device, where it has no room, hangs or is lost. */
class ResidentFaultsTest extends ResidentCase {

  @Test
  void shouldTakeTheHostWhereTheDeviceHasNoRoom() {
    // An eighth of it, which is what there is for tensors between steps, is less than a pool takes.
    begin(ADVERSE + 1, 8 * MIB);
    try (MemoryBudget.Reservation unused = device.reserve("others", 4 * MIB)) {
      chain(simulator.cuda(), simulator.cuda(), BATCHES);
      assertThat(tally.answered()).isEqualTo(3 * BATCHES);
      assertThat(tally.wrong()).isZero();
      assertThat(simulator.figure(0, Figure.ON_DEVICE_BYTES)).isZero();
    }
    assertNothingLeft();
  }

  @Test
  void shouldTakeTheHostWhenTheDeviceRefusesMemory() {
    SimulatedChain chain = new SimulatedChain(SECOND, tally);
    try (SimulatedInstance one = load(simulator.cuda(), FIRST, chain);
        SimulatedInstance two = load(simulator.cuda(), SECOND, tally)) {
      simulator.inject("cudaMallocFromPoolAsync", 3, 2, Fault.RETURNED);
      chain.run(one, two, BATCHES, () -> staying(1, 3, 2));
    }
    assertThat(tally.answered()).isEqualTo(3 * BATCHES);
    assertThat(tally.wrong()).isZero();
    assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
        .as("the second model's, and one batch of the first's")
        .isEqualTo(6L * Integer.BYTES * (BATCHES * SECOND.outWords() + FIRST.outWords()));
    assertNothingLeft();
  }

  @Test
  void shouldOutliveTheModelThatHasComputedIt() {
    List<SimulatedRequest> requests = staying(3);
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    first.pipeline().submit(requests);
    assertThat(first.pipeline().await()).isTrue();
    first.close();
    try (SimulatedInstance second = load(simulator.cuda(), SECOND, tally)) {
      readBySecond(
          second,
          List.of(
              SimulatedRequest.of(SECOND, 3, requests.get(0).expected(), given.tensors.get(0))));
    }
    requests.forEach(SimulatedRequest::close);
    assertNothingLeft();
  }

  @Test
  void shouldNotFreeWhatAHungReaderMayStillRead() {
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    SimulatedInstance second = load(simulator.cuda(), SECOND, tally);
    List<SimulatedRequest> requests = staying(2);
    runFirst(first, requests);
    simulator.inject("cudaMemcpyAsync", 0, 0, Fault.HANGING);
    List<SimulatedRequest> next =
        List.of(SimulatedRequest.of(SECOND, 2, requests.get(0).expected(), given.tensors.get(0)));
    tally.submitting(next);
    second.pipeline().submit(next);
    for (int i = 0; i < 100; i++) {
      assertThat(second.pipeline().poll()).isFalse();
    }
    second.pipeline().abandon("no end in sight");
    assertThat(tally.failures()).hasSize(1);
    second.close();
    assertThat(residents.lent()).isEqualTo(1);
    first.close();
    residents.close();
    assertThat(device.holders()).containsKey("gpu-0/between steps");
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldGiveUpWhatIsCopiedAsideForEver() {
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    // One copy in, which is all right, and one aside.
    simulator.inject("cudaMemcpyAsync", 1, 0, Fault.HANGING);
    runFirst(first, staying(2));
    given.tensors.get(0).close();
    first.close();
    assertThat(first.pipeline().isAbandoned()).isTrue();
    residents.close();
    assertThat(device.holders()).containsKeys("gpu-0/between steps", "simulated/slabs");
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldFailWhoeverReadsOnTheHostWhatWasOnALostDevice() {
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    runFirst(first, staying(2));
    simulator.inject("cudaEventSynchronize", 0, 719, Fault.STICKY);
    Tensor tensor = given.tensors.get(0);
    assertThatThrownBy(tensor::data)
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");
    assertThat(tensor.identity().remaining()).isZero();
    tensor.close();
    first.close();
    residents.close();
    pinned.close();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.violations()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cudaEventSynchronize", "cudaStreamSynchronize"})
  void shouldNotBlameItsDeviceForAnErrorThatIsToldOnceOfAnother(String call) {
    List<String> lost = new ArrayList<>();
    residents = new ResidentPool(simulator.cuda(), 0, device, pinned, lost::add);
    SimulatedInstance first = load(simulator.cuda(), FIRST, given);
    List<SimulatedRequest> requests = staying(2);
    runFirst(first, requests);
    simulator.inject(call, 0, 719, Fault.RETURNED);
    Tensor tensor = given.tensors.get(0);

    assertThatThrownBy(tensor::data)
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");

    assertThat(lost).isEmpty();
    tensor.close();
    first.close();
    assertNothingLeft();
  }
}
