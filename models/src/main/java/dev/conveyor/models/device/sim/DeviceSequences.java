package dev.conveyor.models.device.sim;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Random sequences of loading, inference, unloading and faults on the simulated device, and what
 * went wrong in them. Deterministic by seed. Not thread-safe: there is one simulated device.
 *
 * <p>Each sequence is a process of its own: two devices, two ledgers and one of the host. In a
 * third of them nothing fails; in the others calls are refused, memory runs out, a device is lost,
 * or it hangs.
 */
public final class DeviceSequences {

  private static final int INVALID_VALUE = 1;
  private static final int OUT_OF_MEMORY = 2;
  private static final List<Integer> STICKY = List.of(700, 719, 999);
  private static final List<String> ENQUEUED =
      List.of("cudaMemcpyAsync", "cudaSimLaunch", "cudaEventRecord", "cudaStreamWaitEvent");

  private static final int FEWEST_ACTIONS = 10;
  private static final int MORE_ACTIONS = 30;

  /** What can happen to a sequence. */
  private enum Trouble {
    NONE,
    REFUSED,
    LOST,
    HUNG
  }

  private DeviceSequences() {}

  /**
   * What became of a number of sequences.
   *
   * @param answered requests that got the right answer
   * @param failed batches that failed, of which each was told so once
   * @param handedOn tensors that stayed on a device and were read by another model
   * @param loads instances that were loaded
   * @param refusedLoads instances that did not fit
   * @param lostDevices how often a device was lost or hung
   * @param problems what must not happen, with the seed of its sequence
   */
  public record Outcome(
      long answered,
      long failed,
      long handedOn,
      long loads,
      long refusedLoads,
      long lostDevices,
      List<String> problems) {}

  /** Runs the sequences with the seeds from {@code firstSeed} on. */
  public static Outcome run(CudaSimulator simulator, long firstSeed, int count) {
    SequenceTally tally = new SequenceTally();
    for (long seed = firstSeed; seed < firstSeed + count; seed++) {
      one(simulator, seed, tally);
    }
    simulator.reset("");
    return tally.outcome();
  }

  private static void one(CudaSimulator simulator, long seed, SequenceTally tally) {
    SplittableRandom random = new SplittableRandom(seed);
    DeviceSequence sequence = new DeviceSequence(simulator, seed, random);
    Trouble trouble = trouble(random);
    int actions = FEWEST_ACTIONS + random.nextInt(MORE_ACTIONS);
    int faultAt = random.nextInt(actions);
    try {
      for (int i = 0; i < actions; i++) {
        if (i == faultAt) {
          inject(simulator, trouble, random);
        }
        sequence.act(trouble == Trouble.HUNG);
      }
      simulator.forgetFaults();
      sequence.end();
    } catch (RuntimeException e) {
      sequence.problem("unexpected " + e);
    }
    tally.add(sequence);
  }

  private static Trouble trouble(SplittableRandom random) {
    int draw = random.nextInt(9);
    if (draw < 3) {
      return Trouble.NONE;
    }
    return draw < 6 ? Trouble.REFUSED : draw < 8 ? Trouble.LOST : Trouble.HUNG;
  }

  private static void inject(CudaSimulator simulator, Trouble trouble, SplittableRandom random) {
    String enqueued = ENQUEUED.get(random.nextInt(ENQUEUED.size()));
    int sticky = STICKY.get(random.nextInt(STICKY.size()));
    switch (trouble) {
      case NONE -> {}
      case REFUSED -> {
        for (int i = 0; i < 3; i++) {
          String call = random.nextBoolean() ? "cudaMallocFromPoolAsync" : "cudaHostAlloc";
          simulator.inject(call, random.nextInt(6), OUT_OF_MEMORY, Fault.RETURNED);
        }
        simulator.inject(enqueued, random.nextInt(30), INVALID_VALUE, Fault.RETURNED);
      }
      case LOST -> {
        if (random.nextBoolean()) {
          simulator.inject("*", random.nextInt(200), sticky, Fault.STICKY);
        } else {
          simulator.inject(enqueued, random.nextInt(30), sticky, Fault.RUNNING);
        }
      }
      case HUNG -> simulator.inject(enqueued, random.nextInt(30), 0, Fault.HANGING);
    }
  }
}
