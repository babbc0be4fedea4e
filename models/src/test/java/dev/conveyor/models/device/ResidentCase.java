package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.sim.SimulatedChain;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;

/** Two models on one simulated GPU, the second of which reads what the first leaves there. */
abstract class ResidentCase {

  static final long MIB = 1 << 20;
  static final int BATCHES = 30;

  /** Streams far out of step: what takes 1 may take 6, and begin late. */
  static final String ADVERSE = "devices=2 jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=";

  static final SimulatedModel FIRST = new SimulatedModel(12, 8, 8, 3, 20_000);

  /** One batch at a time: the host hears of each at once. */
  static final SimulatedModel ALONE = new SimulatedModel(12, 8, 8, 1, 20_000);

  static final SimulatedModel SECOND = new SimulatedModel(8, 4, 8, 3, 20_000);

  final SplittableRandom random = new SplittableRandom(1);
  CudaSimulator simulator;
  MemoryBudget device;
  MemoryBudget otherDevice;
  MemoryBudget host;
  BufferPool pinned;
  ResidentPool residents;
  Tally tally;
  Given given;

  /** What the first model has given. */
  static final class Given implements PipelineListener {
    final List<Tensor> tensors = new ArrayList<>();
    final List<ExecutionException> failures = new ArrayList<>();

    @Override
    public void onResult(List<? extends BatchRequest> requests, BatchResult result) {
      result.outputs().forEach(tensors::addAll);
    }

    @Override
    public void onFailure(List<? extends BatchRequest> requests, ExecutionException failure) {
      failures.add(failure);
    }
  }

  @BeforeEach
  void start() {
    begin(ADVERSE + 1);
  }

  void begin(String settings) {
    begin(settings, 64 * MIB);
  }

  void begin(String settings, long ledgerBytes) {
    simulator = Simulators.start(settings);
    device = new MemoryBudget("gpu-0", ledgerBytes);
    otherDevice = new MemoryBudget("gpu-1", 64 * MIB);
    host = new MemoryBudget("host", 64 * MIB);
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    residents = new ResidentPool(simulator.cuda(), 0, device, pinned, reason -> {});
    tally = new Tally();
    given = new Given();
  }

  SimulatedInstance load(Cuda cuda, SimulatedModel model, PipelineListener listener) {
    return new SimulatedInstance(cuda, 0, model, device, host, pinned, listener, residents);
  }

  SimulatedInstance loadOnOther(Cuda cuda, ResidentPool there) {
    return new SimulatedInstance(cuda, 1, SECOND, otherDevice, host, pinned, tally, there);
  }

  SimulatedRequest request(int size) {
    return SimulatedRequest.leased(FIRST, size, pinned, random);
  }

  List<SimulatedRequest> staying(int... sizes) {
    List<SimulatedRequest> requests = new ArrayList<>();
    for (int size : sizes) {
      requests.add(request(size).staying());
    }
    return requests;
  }

  void chain(Cuda first, Cuda second, int batches) {
    chain(first, FIRST, second, batches, 1, 3, 2);
  }

  void chain(Cuda first, SimulatedModel model, Cuda second, int batches, int... sizes) {
    SimulatedChain chain = new SimulatedChain(SECOND, tally);
    try (SimulatedInstance one = load(first, model, chain);
        SimulatedInstance two = load(second, SECOND, tally)) {
      chain.run(one, two, batches, () -> staying(sizes));
    }
  }

  /** Everything is closed: nothing may be left anywhere. */
  void assertNothingLeft() {
    residents.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
  }

  static int[] words(Tensor tensor) {
    int[] words = new int[tensor.sizeBytes() / Integer.BYTES];
    for (int i = 0; i < words.length; i++) {
      words[i] = tensor.data().getInt(i * Integer.BYTES);
    }
    return words;
  }

  /** Runs requests through the second model, in one batch, and demands the right answers. */
  void readBySecond(SimulatedInstance second, List<SimulatedRequest> requests) {
    tally.submitting(requests);
    second.pipeline().submit(requests);
    int before = tally.answered();
    assertThat(second.pipeline().await()).isTrue();
    assertThat(tally.answered() - before).isEqualTo(requests.size());
    assertThat(tally.wrong()).isZero();
  }

  void runFirst(SimulatedInstance first, List<SimulatedRequest> requests) {
    first.pipeline().submit(requests);
    assertThat(first.pipeline().await()).isTrue();
    requests.forEach(SimulatedRequest::close);
  }
}
