package dev.conveyor.models.device.sim;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.Pipeline;
import dev.conveyor.models.device.ResidentPool;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** One sequence of {@link DeviceSequences}: its devices, what is loaded, and what it has seen. */
final class DeviceSequence {

  private static final long MIB = 1 << 20;
  private static final int DEVICES = 2;
  private static final int MOST_LOADED = 4;

  /** Words of what models take and give; few, so that one model can take what another gives. */
  private static final int[] WIDTHS = {1, 5, 12, 32};

  /** So often a device that does not hang is asked at most before a batch has ended. */
  private static final int PATIENCE = 1000;

  /** An instance and what became of its batches. */
  private record Loaded(SimulatedModel model, SimulatedInstance instance, Tally tally) {}

  private final CudaSimulator simulator;
  private final long seed;
  private final SplittableRandom random;
  private final List<MemoryBudget> ledgers = new ArrayList<>();
  private final MemoryBudget host = new MemoryBudget("host", 8 * MIB);
  private final BufferPool pinned;
  private final List<ResidentPool> residents = new ArrayList<>();
  private final Between between;
  private final List<Loaded> loaded = new ArrayList<>();
  private final List<Tally> tallies = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();
  private int refusedLoads;
  private boolean hung;
  private boolean lostAtTheEnd;

  DeviceSequence(CudaSimulator simulator, long seed, SplittableRandom random) {
    this.simulator = simulator;
    this.seed = seed;
    this.random = random;
    // The devices have room for three instances or so, and one ledger allows less than that.
    simulator.reset(
        "devices=2 device_bytes=6291456 jitter_percent=500 latency_ns=30000 copy_ns=5000 seed="
            + seed);
    ledgers.add(new MemoryBudget("gpu-0", 8 * MIB));
    ledgers.add(new MemoryBudget("gpu-1", 4 * MIB));
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), MIB);
    for (int d = 0; d < DEVICES; d++) {
      residents.add(new ResidentPool(simulator.cuda(), d, ledgers.get(d), pinned, reason -> {}));
    }
    between = new Between(random);
  }

  /** Does one thing, and compares the ledgers with the truth. */
  void act(boolean mayHang) {
    int draw = random.nextInt(10);
    if (draw == 4 && !mayHang && !between.isEmpty()) {
      between.endOne();
    } else if (loaded.isEmpty() || (draw == 0 && loaded.size() < MOST_LOADED)) {
      load();
    } else {
      Loaded one = loaded.get(random.nextInt(loaded.size()));
      if (draw == 1) {
        unload(one, mayHang);
      } else if (draw <= 3) {
        next(one, mayHang);
      } else {
        infer(one, mayHang);
      }
    }
    compareLedgers();
  }

  private void load() {
    SimulatedModel model =
        new SimulatedModel(
            WIDTHS[random.nextInt(WIDTHS.length)],
            WIDTHS[random.nextInt(WIDTHS.length)],
            1 + random.nextInt(8),
            2 + random.nextInt(2),
            1 + random.nextInt(40_000));
    int device = random.nextInt(DEVICES);
    Tally tally = new Tally(between::add);
    try {
      SimulatedInstance instance =
          new SimulatedInstance(
              simulator.cuda(),
              device,
              model,
              ledgers.get(device),
              host,
              pinned,
              tally,
              residents.get(device));
      loaded.add(new Loaded(model, instance, tally));
      tallies.add(tally);
    } catch (BudgetExceededException | CudaException e) {
      refusedLoads++;
    }
  }

  private void infer(Loaded one, boolean mayHang) {
    if (one.instance().pipeline().freeSlots() == 0) {
      next(one, mayHang);
    }
    if (one.instance().pipeline().freeSlots() == 0) {
      return; // It was abandoned.
    }
    List<SimulatedRequest> requests = requests(one.model(), !mayHang);
    one.tally().submitting(requests);
    try {
      one.instance().pipeline().submit(requests);
    } catch (ExecutionException e) {
      one.tally().refused(requests, e);
    } catch (InferenceException e) {
      // A tensor of another device that cannot be had.
      one.tally()
          .refused(
              requests,
              new ExecutionException(ExecutionException.Kind.RUN, String.valueOf(e.getMessage())));
    }
  }

  /**
   * Returns requests that fit into one batch.
   *
   * @param mayStay whether their outputs may stay: on a device that hangs, what is copied aside
   *     would have to be waited for
   */
  private List<SimulatedRequest> requests(SimulatedModel model, boolean mayStay) {
    List<SimulatedRequest> requests = new ArrayList<>();
    int room = 1 + random.nextInt(model.maxBatchSize());
    while (room > 0) {
      SimulatedRequest next = random.nextBoolean() ? between.next(model, room) : null;
      SimulatedRequest request = next == null ? request(model, 1 + random.nextInt(room)) : next;
      requests.add(mayStay && random.nextBoolean() ? request.staying() : request);
      room -= request.batchSize();
    }
    return requests;
  }

  private SimulatedRequest request(SimulatedModel model, int size) {
    if (random.nextBoolean()) {
      try {
        return SimulatedRequest.leased(model, size, pinned, random);
      } catch (BudgetExceededException | CudaException e) {
        return SimulatedRequest.onHeap(model, size, random);
      }
    }
    return SimulatedRequest.onHeap(model, size, random);
  }

  /** Sees one more batch end, if there is one. */
  private void next(Loaded one, boolean mayHang) {
    Pipeline pipeline = one.instance().pipeline();
    if (!mayHang) {
      boolean unused = pipeline.await();
    } else {
      // Whoever waits for a device that hangs does so for ever: ask, and give up.
      for (int i = 0; pipeline.inFlight() > 0 && !pipeline.poll(); i++) {
        if (i == PATIENCE) {
          hung = true;
          pipeline.abandon("no end in sight");
        }
      }
    }
  }

  private void unload(Loaded one, boolean mayHang) {
    while (one.instance().pipeline().inFlight() > 0) {
      next(one, mayHang);
    }
    one.instance().close();
    loaded.remove(one);
  }

  /** Unloads everything; then nothing may be left but what a hung device still uses. */
  void end() {
    while (!loaded.isEmpty()) {
      unload(loaded.get(0), true);
    }
    between.giveUp();
    residents.forEach(ResidentPool::close);
    compareLedgers();
    lostAtTheEnd = isLost(0) || isLost(1);
    if (!hung) {
      pinned.close();
      if (host.reservedBytes() != 0) {
        problem("host ledger has " + host.holders());
      }
      for (MemoryBudget ledger : ledgers) {
        if (ledger.reservedBytes() != 0) {
          problem(ledger.device() + " ledger has " + ledger.holders());
        }
      }
    }
    String found = hung ? simulator.violations() : simulator.violationsAndLeaks();
    if (!found.isEmpty()) {
      problem(found.strip());
    }
    if (between.wrong() > 0) {
      problem(between.wrong() + " tensors on a device were wrong when they were read on the host");
    }
    for (Tally tally : tallies) {
      if (tally.wrong() + tally.unexpected() + tally.outOfOrder() + tally.open() > 0) {
        problem(
            "%d wrong answers, %d unexpected, %d out of order, %d batches never ended"
                .formatted(tally.wrong(), tally.unexpected(), tally.outOfOrder(), tally.open()));
      }
    }
  }

  /** A device that is lost has taken its books with it, and those of pinned memory. */
  private void compareLedgers() {
    for (int d = 0; d < DEVICES; d++) {
      long truth = simulator.figure(d, Figure.TAKEN_BYTES);
      if (!isLost(d) && ledgers.get(d).reservedBytes() != truth) {
        problem("gpu-%d has %d bytes taken: %s".formatted(d, truth, ledgers.get(d).holders()));
      }
    }
    long truth = simulator.figure(0, Figure.PINNED_BYTES);
    if (!isLost(0) && !isLost(1) && host.reservedBytes() != truth) {
      problem("the host has %d pinned bytes: %s".formatted(truth, host.holders()));
    }
  }

  private boolean isLost(int device) {
    return simulator.figure(device, Figure.LOST) != 0;
  }

  void problem(String what) {
    problems.add("seed " + seed + ": " + what);
  }

  List<String> problems() {
    return problems;
  }

  long answered() {
    return tallies.stream().mapToLong(Tally::answered).sum();
  }

  long failed() {
    return tallies.stream().mapToLong(tally -> tally.failures().size()).sum();
  }

  int handedOn() {
    return between.handedOn();
  }

  int loads() {
    return tallies.size();
  }

  int refusedLoads() {
    return refusedLoads;
  }

  int lostDevices() {
    return hung || lostAtTheEnd ? 1 : 0;
  }
}
