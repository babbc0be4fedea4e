package dev.conveyor.scheduler.simulation;

import dev.conveyor.scheduler.InferenceRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * The simulated devices: what runs on them and how long it takes.
 *
 * <p>Not thread-safe: owned by the {@link Simulator}.
 */
final class Devices {

  private final Scenario scenario;
  private final Scenario.Model[] models;
  private final RunHeap running = new RunHeap();
  private final SplittableRandom random;
  private final int[] freeSlots;
  private final double[] slowness;
  private final double[] factor;
  private final long[] stalledUntilNs;
  private final boolean[] down;
  private final boolean exact;
  private final Interference interference;

  Devices(Scenario scenario) {
    int n = scenario.devices().size();
    this.scenario = scenario;
    this.models = scenario.models().toArray(new Scenario.Model[0]);
    this.random = new SplittableRandom(scenario.seed() + 2);
    this.freeSlots = scenario.devices().stream().mapToInt(Scenario.Device::slots).toArray();
    this.slowness = scenario.devices().stream().mapToDouble(d -> 1 / d.speed()).toArray();
    this.factor = new double[n];
    this.stalledUntilNs = new long[n];
    this.down = new boolean[n];
    this.interference = new Interference(scenario);
    Arrays.fill(factor, 1);
    this.exact =
        scenario.faults().isEmpty()
            && Arrays.stream(slowness).allMatch(s -> s == 1)
            && scenario.models().stream().allMatch(m -> m.noise() == 0);
  }

  long nextFinishNs() {
    return running.nextNs();
  }

  Run removeFirst() {
    Run run = running.removeFirst();
    freeSlots[run.device]++;
    stretch(run.device, run.finishNs);
    return run;
  }

  Run start(int device, int model, List<InferenceRequest> requests, Object token, long nowNs) {
    if (freeSlots[device] == 0 || down[device]) {
      throw new IllegalStateException(
          "%s is %s at %d ns"
              .formatted(
                  scenario.devices().get(device).name(), down[device] ? "gone" : "full", nowNs));
    }
    freeSlots[device]--;
    long costNs = models[model].cost().ns(requests.size());
    long finishNs = exact ? nowNs + costNs : finishNs(device, model, costNs, nowNs);
    Run run = new Run(device, model, requests, token, nowNs, finishNs);
    running.add(run);
    stretch(device, nowNs);
    return run;
  }

  /** Has what is left of each run on a device take as long as it does beside the others. */
  private void stretch(int device, long nowNs) {
    if (interference.isNone()) {
      return;
    }
    Run[] all = running.removeAll();
    for (Run run : all) {
      if (run.device == device) {
        double stretch = interference.stretch(run, all);
        run.finishNs = nowNs + Math.round((run.finishNs - nowNs) * stretch / run.stretch);
        run.stretch = stretch;
      }
      running.add(run);
    }
  }

  private long finishNs(int device, int model, long costNs, long nowNs) {
    double noise = models[model].noise();
    double luck = noise == 0 ? 1 : Math.exp(noise * random.nextGaussian());
    return Math.max(nowNs, stalledUntilNs[device])
        + Math.max(1, Math.round(costNs * slowness[device] * factor[device] * luck));
  }

  void setFactor(int device, double times) {
    factor[device] = times;
  }

  void setDown(int device, boolean isDown) {
    down[device] = isDown;
  }

  /** Takes out what runs on a device. */
  List<Run> removeOn(int device) {
    List<Run> removed = new ArrayList<>();
    for (Run run : running.removeAll()) {
      if (run.device == device) {
        removed.add(run);
        freeSlots[device]++;
      } else {
        running.add(run);
      }
    }
    return removed;
  }

  /** Holds up what runs on a device, and what will start there before the stall is over. */
  void stall(int device, long nowNs, long forNs) {
    for (Run run : running.removeAll()) {
      if (run.device == device) {
        run.finishNs += forNs;
      }
      running.add(run);
    }
    stalledUntilNs[device] = nowNs + forNs;
  }
}
