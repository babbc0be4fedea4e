package dev.conveyor.verticles.bench.suite;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.SimulatorUnavailableException;
import dev.conveyor.models.device.sim.DeviceSequences;
import dev.conveyor.models.device.sim.SimulatedModel;
import java.util.List;
import java.util.Locale;

/** Rows of the GPU suite on the simulated device. Stateless. */
final class SimulatedDeviceRows {

  private static final int SEQUENCES = 10_000;
  private static final int SHOWN_PROBLEMS = 3;
  private static final int BUSY_BATCHES = 300;
  private static final int COST_WINDOWS = 7;
  private static final int WINDOW_BATCHES = 1000;
  private static final int SLOTS = 3;

  /**
   * A batch of 8 requests of 16 KiB in and out: 1 ms of computing, and at 328 MB/s 0.4 ms of
   * copying in each direction; the host takes 2 us of the device's time for every call.
   */
  private static final SimulatedModel EVEN = new SimulatedModel(4096, 4096, 8, SLOTS, 1_000_000);

  private static final String EVEN_SPEED = "to_device_mb_s=328 to_host_mb_s=328 call_ns=2000";

  /** A batch of 8 images of 3x224x224 floats, and 1,000 scores for each. */
  static final SimulatedModel IMAGES = new SimulatedModel(3 * 224 * 224, 1000, 8, SLOTS, 300_000);

  private SimulatedDeviceRows() {}

  static List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "simulated device: share of time that computing is under way, copies = 0.4 of it each way",
            Target.atLeast(0.97, ""),
            SimulatedDeviceRows::busyShare),
        new SuiteRow(
            "simulated device: problems in 10,000 random sequences of load, infer, unload and fault",
            Target.atMost(0, ""),
            SimulatedDeviceRows::sequences),
        new SuiteRow(
            "simulated device: host CPU time per batch of 8 images",
            Target.atMost(50, "µs"),
            () -> hostCost(true)),
        new SuiteRow(
            "simulated device: Java heap per batch of 8 images in the instance path",
            Target.atMost(2048, "bytes"),
            () -> hostCost(false)),
        new SuiteRow(
            "simulated device: bytes copied between host and device per image between two models"
                + " there",
            Target.atMost(0, "bytes"),
            SimulatedDeviceRows::betweenModels));
  }

  private static Measured betweenModels() {
    ResidentLoad.Result staying = ResidentLoad.run(simulator(), true);
    ResidentLoad.Result notStaying = ResidentLoad.run(simulator(), false);
    return new Measured(
        staying.bytesBetween(),
        String.format(
            Locale.ROOT,
            "%,d images of 3x224x224 floats through two models, each right; %,d bytes per image are"
                + " copied on the device, %,d over the host and back if they may not stay",
            staying.images(),
            staying.onDeviceBytes(),
            notStaying.bytesBetween()));
  }

  static CudaSimulator simulator() {
    try {
      return CudaSimulator.start();
    } catch (SimulatorUnavailableException e) {
      throw new CannotMeasureException(String.valueOf(e.getMessage()), e);
    }
  }

  private static Measured busyShare() throws InterruptedException {
    CudaSimulator simulator = simulator();
    double overlapped = share(simulator, EVEN, false);
    double copies =
        (double) simulator.figure(0, Figure.TO_DEVICE_BUSY_NS)
            / simulator.figure(0, Figure.COMPUTE_BUSY_NS);
    SimulatedModel one = new SimulatedModel(4096, 4096, 8, 1, EVEN.computeNs());
    double sequential = share(simulator, one, false);
    double realTime = share(simulator, EVEN, true);
    return new Measured(
        overlapped,
        String.format(
            Locale.ROOT,
            "%d batches, %d slots, virtual time, copies in take %.2f of computing; one slot: %.2f;"
                + " in real time, with a thread that waits: %.3f",
            BUSY_BATCHES,
            SLOTS,
            copies,
            sequential,
            realTime));
  }

  private static double share(CudaSimulator simulator, SimulatedModel model, boolean realTime)
      throws InterruptedException {
    simulator.reset(EVEN_SPEED + (realTime ? " real_time=1" : ""));
    try (DeviceLoad load = new DeviceLoad(simulator, model)) {
      if (realTime) {
        load.runOnTwoThreads(BUSY_BATCHES);
      } else {
        load.runOnOneThread(BUSY_BATCHES);
      }
    }
    return (double) simulator.figure(0, Figure.COMPUTE_BUSY_NS)
        / simulator.figure(0, Figure.SPAN_NS);
  }

  private static Measured sequences() {
    DeviceSequences.Outcome outcome = DeviceSequences.run(simulator(), 1, SEQUENCES);
    List<String> problems = outcome.problems();
    return new Measured(
        problems.size(),
        String.format(
            Locale.ROOT,
            "%,d right answers, %,d batches told that they failed, %,d tensors handed on on the"
                + " device, %,d loads, %,d refused, %,d devices lost or hung%s",
            outcome.answered(),
            outcome.failed(),
            outcome.handedOn(),
            outcome.loads(),
            outcome.refusedLoads(),
            outcome.lostDevices(),
            problems.isEmpty()
                ? ""
                : "; " + problems.subList(0, Math.min(SHOWN_PROBLEMS, problems.size()))));
  }

  /** The device runs on a thread of its own and copies nothing: what is counted is the host's. */
  private static Measured hostCost(boolean time) throws InterruptedException {
    CudaSimulator simulator = simulator();
    simulator.reset("real_time=1 no_data=1 copy_ns=20000");
    try (DeviceLoad load = new DeviceLoad(simulator, IMAGES)) {
      DeviceLoad.Cost cost = load.costOnTwoThreads(COST_WINDOWS, WINDOW_BATCHES);
      return new Measured(
          time ? cost.cpuNs() / 1e3 : cost.heapBytes(),
          String.format(
              Locale.ROOT,
              "median of %d times %,d batches after as many, of the thread that submits and the one that"
                  + " waits: %.1f µs, %.0f bytes, of which %.1f µs submitting; %d calls per batch",
              COST_WINDOWS,
              WINDOW_BATCHES,
              cost.cpuNs() / 1e3,
              cost.heapBytes(),
              cost.submitNs() / 1e3,
              Math.round(cost.calls())));
    }
  }
}
