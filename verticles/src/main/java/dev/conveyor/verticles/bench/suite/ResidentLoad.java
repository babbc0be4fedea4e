package dev.conveyor.verticles.bench.suite;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.device.ResidentPool;
import dev.conveyor.models.device.sim.SimulatedChain;
import dev.conveyor.models.device.sim.SimulatedInstance;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import dev.conveyor.models.device.sim.Tally;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Images that go through two models on one simulated device, and what is copied. Stateless. */
final class ResidentLoad {

  private static final long LEDGER_BYTES = 1L << 30;
  private static final int PIXELS = 3 * 224 * 224;
  private static final int BATCH = 8;
  private static final int BATCHES = 40;
  private static final int SLOTS = 3;
  private static final SimulatedModel FIRST =
      new SimulatedModel(PIXELS, PIXELS, BATCH, SLOTS, 300_000);
  private static final SimulatedModel SECOND =
      new SimulatedModel(PIXELS, 1000, BATCH, SLOTS, 300_000);

  private ResidentLoad() {}

  /**
   * What was copied.
   *
   * @param bytesBetween per image between host and device, but for what the first model takes and
   *     the second gives
   * @param onDeviceBytes per image from one place of the device to another
   */
  record Result(int images, long bytesBetween, long onDeviceBytes) {}

  /**
   * Runs the images; each answer is compared with the right one.
   *
   * @param staying whether what the first model gives may stay on the device
   */
  static Result run(CudaSimulator simulator, boolean staying) {
    simulator.reset("jitter_percent=500 latency_ns=30000 copy_ns=5000");
    MemoryBudget device = new MemoryBudget("gpu-0", LEDGER_BYTES);
    MemoryBudget host = new MemoryBudget("host", LEDGER_BYTES);
    Tally tally = new Tally();
    SimulatedChain chain = new SimulatedChain(SECOND, tally);
    SplittableRandom random = new SplittableRandom(1);
    try (BufferPool pinned =
            new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), LEDGER_BYTES);
        ResidentPool residents =
            new ResidentPool(simulator.cuda(), 0, device, pinned, reason -> {});
        SimulatedInstance first =
            new SimulatedInstance(
                simulator.cuda(), 0, FIRST, device, host, pinned, chain, residents);
        SimulatedInstance second =
            new SimulatedInstance(
                simulator.cuda(), 0, SECOND, device, host, pinned, tally, residents)) {
      chain.run(first, second, BATCHES, () -> batch(pinned, random, staying));
    }
    int images = BATCH * BATCHES;
    String problems = simulator.violationsAndLeaks();
    if (tally.answered() != images || !problems.isEmpty()) {
      throw new IllegalStateException(
          "%d of %d answers are right; %s".formatted(tally.answered(), images, problems));
    }
    long ends = (long) images * Integer.BYTES * (FIRST.inWords() + SECOND.outWords());
    long overTheBus =
        simulator.figure(0, Figure.TO_DEVICE_BYTES) + simulator.figure(0, Figure.TO_HOST_BYTES);
    return new Result(
        images, (overTheBus - ends) / images, simulator.figure(0, Figure.ON_DEVICE_BYTES) / images);
  }

  private static List<SimulatedRequest> batch(
      BufferPool pinned, SplittableRandom random, boolean staying) {
    return IntStream.range(0, BATCH)
        .mapToObj(i -> SimulatedRequest.leased(FIRST, 1, pinned, random))
        .map(request -> staying ? request.staying() : request)
        .toList();
  }
}
