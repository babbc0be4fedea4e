package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.Rows;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Outputs that stay on the device until the next model has read them. */
class ResidentTensorsTest extends ResidentCase {

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldAnswerRightOnStreamsThatAreOutOfStep(int seed) {
    begin(ADVERSE + seed);
    chain(simulator.cuda(), simulator.cuda(), BATCHES);
    assertThat(tally.answered()).isEqualTo(3 * BATCHES);
    assertThat(tally.wrong() + tally.unexpected() + tally.open()).isZero();
    assertNothingLeft();
  }

  @Test
  void shouldCopyNothingBetweenTheHostAndTheDeviceBetweenTwoModels() {
    chain(simulator.cuda(), simulator.cuda(), BATCHES);
    long items = 6L * BATCHES;
    assertThat(simulator.figure(0, Figure.TO_DEVICE_BYTES))
        .as("what the first model takes")
        .isEqualTo(items * FIRST.inWords() * Integer.BYTES);
    assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
        .as("what the second model gives")
        .isEqualTo(items * SECOND.outWords() * Integer.BYTES);
    assertThat(simulator.figure(0, Figure.ON_DEVICE_BYTES))
        .as("out of one batch and into the next")
        .isEqualTo(2 * items * SECOND.inWords() * Integer.BYTES);
    assertThat(simulator.figure(0, Figure.ASYNC_COPIES))
        .as("per batch: 3 requests in, 1 aside, 3 into the next batch, 1 out")
        .isEqualTo(8L * BATCHES);
    assertThat(simulator.figure(0, Figure.PAGEABLE_COPIES)).isZero();
  }

  @Test
  void shouldBeSeenWhenTheReaderDoesNotWaitForWhatWasWritten() {
    for (int seed = 1; seed <= 8; seed++) {
      begin(ADVERSE + seed);
      // Each batch of the second model waits for its inputs, its copies and its computing.
      Cuda hasty = DroppedCall.in(simulator.cuda(), "waitFor", 3, 0);
      chain(simulator.cuda(), ALONE, hasty, 4 * BATCHES, 1, 3, 2);
      assertThat(tally.wrong()).as("seed %d", seed).isPositive();
    }
  }

  @Test
  void shouldBeSeenWhenTheNextBatchOverwritesWhatIsNotCopiedAside() {
    for (int seed = 1; seed <= 8; seed++) {
      // A copy aside may take longer than copying the next batch in and computing it.
      begin("jitter_percent=500 copy_ns=200000 seed=" + seed);
      // The first batch of a slot waits twice, the later ones three times.
      Cuda hasty = DroppedCall.in(simulator.cuda(), "waitFor", 3, 1, 2);
      chain(hasty, ALONE, simulator.cuda(), BATCHES, 1);
      assertThat(tally.wrong()).as("seed %d", seed).isPositive();
    }
  }

  @Test
  void shouldBeSeenWhenMemoryIsFreedThatIsStillWrittenTo() {
    List<String> violations = new ArrayList<>();
    for (int seed = 1; seed <= 8; seed++) {
      begin("latency_ns=1000000 seed=" + seed);
      residents =
          new ResidentPool(
              DroppedCall.in(simulator.cuda(), "isComplete", 1, 0),
              0,
              device,
              pinned,
              reason -> {});
      giveUpAtOnce();
      violations.add(simulator.violations());
    }
    assertThat(violations).anyMatch(found -> found.contains("after free"));
  }

  @Test
  void shouldFreeWhatWasGivenUpOnlyWhenItIsWritten() {
    for (int seed = 1; seed <= 8; seed++) {
      begin("latency_ns=1000000 seed=" + seed);
      giveUpAtOnce();
      assertNothingLeft();
    }
  }

  /** As if every request were cancelled right after its first step. */
  private void giveUpAtOnce() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given)) {
      for (int i = 0; i < BATCHES; i++) {
        runFirst(first, staying(2, 1));
        given.tensors.forEach(Tensor::close);
        given.tensors.clear();
      }
    }
  }

  @Test
  void shouldTakeOnlyThoseThatMayStay() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given);
        SimulatedInstance second = load(simulator.cuda(), SECOND, tally)) {
      List<SimulatedRequest> mixed =
          List.of(
              request(1),
              request(2).staying(),
              request(1).staying(),
              request(2),
              request(1),
              request(1).staying());
      runFirst(first, mixed);
      assertThat(given.tensors.stream().map(Tensor::isOnDevice))
          .containsExactly(false, true, true, false, false, true);
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
          .isEqualTo(4L * FIRST.outWords() * Integer.BYTES);
      List<SimulatedRequest> next = new ArrayList<>();
      for (int i = 0; i < mixed.size(); i++) {
        next.add(
            SimulatedRequest.of(
                SECOND, mixed.get(i).batchSize(), mixed.get(i).expected(), given.tensors.get(i)));
      }
      readBySecond(second, next);
    }
    assertNothingLeft();
  }

  @Test
  void shouldLetSeveralReadOneTensorAndItsRows() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given);
        SimulatedInstance second = load(simulator.cuda(), SECOND, tally);
        SimulatedInstance third = load(simulator.cuda(), SECOND, tally)) {
      List<SimulatedRequest> one = staying(4);
      runFirst(first, one);
      int[] expected = one.get(0).expected();
      Tensor whole = given.tensors.get(0);
      List<SimulatedRequest> items = new ArrayList<>();
      Rows rows = Rows.of(whole);
      for (int row = 0; row < rows.count(); row++) {
        int[] words = Arrays.copyOfRange(expected, row * 8, (row + 1) * 8);
        items.add(SimulatedRequest.of(SECOND, 1, words, rows.tryShare(row)));
      }
      readBySecond(third, List.of(SimulatedRequest.of(SECOND, 4, expected, whole.tryShare())));
      whole.close();
      assertThat(whole.tryShare()).isNull();
      assertThat(residents.lent()).as("its rows").isEqualTo(1);
      readBySecond(second, items);
      assertThat(residents.lent()).isZero();
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES))
          .isEqualTo(8L * SECOND.outWords() * Integer.BYTES);
    }
    assertNothingLeft();
  }

  @Test
  void shouldCopyToTheHostOnceForWhoeverReadsItThere() {
    try (SimulatedInstance first = load(simulator.cuda(), FIRST, given)) {
      List<SimulatedRequest> requests = staying(2, 1);
      runFirst(first, requests);
      long bytes = 2L * FIRST.outWords() * Integer.BYTES;
      Tensor tensor = given.tensors.get(0);
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES)).isZero();
      Tensor share = tensor.tryShare();
      assertThat(words(tensor)).isEqualTo(requests.get(0).expected());
      assertThat(words(share)).isEqualTo(requests.get(0).expected());
      assertThat(tensor.isInPlaceOf(share)).isTrue();
      assertThat(tensor.isInPlaceOf(given.tensors.get(1))).isFalse();
      assertThat(simulator.figure(0, Figure.TO_HOST_BYTES)).isEqualTo(bytes);
      share.close();
      given.tensors.forEach(Tensor::close);
    }
    assertNothingLeft();
  }

  @Test
  void shouldCloseWhileSomebodyWaitsForTheDevice() {
    List<Tensor> shares = new ArrayList<>();
    Cuda cuda = simulator.cuda();
    Cuda slow =
        (Cuda)
            Proxy.newProxyInstance(
                Cuda.class.getClassLoader(),
                new Class<?>[] {Cuda.class},
                (proxy, called, args) -> {
                  if (called.getName().equals("awaitEvent")) {
                    CompletableFuture.runAsync(shares.get(0)::close).get(60, TimeUnit.SECONDS);
                  }
                  return called.invoke(cuda, args);
                });
    residents = new ResidentPool(slow, 0, device, pinned, reason -> {});
    try (SimulatedInstance first = load(cuda, FIRST, given)) {
      List<SimulatedRequest> requests = staying(2);
      runFirst(first, requests);
      Tensor tensor = given.tensors.get(0);
      shares.add(tensor.tryShare());
      assertThat(words(tensor)).isEqualTo(requests.get(0).expected());
      tensor.close();
    }
    assertNothingLeft();
  }
}
