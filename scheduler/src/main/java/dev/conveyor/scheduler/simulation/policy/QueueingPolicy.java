package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.simulation.Policy;
import dev.conveyor.scheduler.simulation.Run;
import dev.conveyor.scheduler.simulation.Scenario;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What the policies of others have in common: one queue per model in the order of arrival, which is
 * the order of the deadlines; and when a device has a free slot, a look at every model on it.
 *
 * <p>Not thread-safe: made for one run. Knows the true costs. The lowest-numbered device goes
 * first; of the models that could start there, the one with the smallest {@link #urgency}.
 */
abstract class QueueingPolicy implements Policy {

  private static final Object NO_TOKEN = "";

  private final Scenario.Model[] models;
  private final List<ArrayDeque<InferenceRequest>> queues = new ArrayList<>();
  private final int[][] modelsOn;
  private final double[] speed;
  private final int[] free;
  private final boolean[] down;
  private final int[] instances;
  private final boolean uniform;
  private int freeSlots;
  private int queued;

  QueueingPolicy(Scenario scenario) {
    List<Scenario.Device> devices = scenario.devices();
    this.models = scenario.models().toArray(new Scenario.Model[0]);
    this.speed = devices.stream().mapToDouble(Scenario.Device::speed).toArray();
    this.free = devices.stream().mapToInt(Scenario.Device::slots).toArray();
    this.down = new boolean[devices.size()];
    this.freeSlots = Arrays.stream(free).sum();
    this.instances = new int[models.length];
    this.modelsOn = new int[devices.size()][];
    for (int d = 0; d < modelsOn.length; d++) {
      int device = d;
      modelsOn[d] =
          IntStream.range(0, models.length)
              .filter(m -> models[m].devices().contains(device))
              .toArray();
      for (int m : modelsOn[d]) {
        instances[m] += free[d];
      }
    }
    for (int m = 0; m < models.length; m++) {
      queues.add(new ArrayDeque<>());
    }
    this.uniform =
        Arrays.stream(speed).allMatch(s -> s == speed[0])
            && Arrays.stream(modelsOn).allMatch(on -> on.length == models.length);
  }

  /**
   * Returns how many requests of a model, which has some, to start on a device now; 0 for none. May
   * {@link #dropHead} before, but not below one request.
   */
  abstract int size(int model, int device, long nowNs, Machine machine);

  /** Returns what is compared between models that could start {@code size} requests. */
  abstract long urgency(int model, int device, int size);

  /** Returns when {@link #size} of a model with requests may grow from 0 though no event comes. */
  long opensAtNs(int model, long nowNs) {
    return NEVER;
  }

  final ArrayDeque<InferenceRequest> queue(int model) {
    return queues.get(model);
  }

  final InferenceRequest head(int model) {
    return queues.get(model).getFirst();
  }

  final int maxBatchSize(int model) {
    return models[model].cost().maxBatchSize();
  }

  final long objectiveNs(int model) {
    return models[model].objectiveNs();
  }

  /** Returns the number of batches of a model that can run at once if nothing else does. */
  final int instances(int model) {
    return instances[model];
  }

  final long costNs(int model, int device, int size) {
    long ns = models[model].cost().ns(size);
    return speed[device] == 1 ? ns : Math.round(ns / speed[device]);
  }

  final int largestWithin(int model, int device, long limitNs) {
    return models[model].cost().largestWithin((long) (limitNs * speed[device]));
  }

  final void dropHead(int model, Machine machine) {
    queued--;
    machine.refuse(model, queues.get(model).removeFirst());
  }

  /** Drops heads that would be late even if they ran alone now; returns what is left. */
  final int dropHopeless(int model, int device, long nowNs, Machine machine) {
    ArrayDeque<InferenceRequest> queue = queues.get(model);
    long aloneNs = costNs(model, device, 1);
    while (!queue.isEmpty() && nowNs + aloneNs > queue.getFirst().deadlineNs()) {
      dropHead(model, machine);
    }
    return queue.size();
  }

  /** Drops heads until the first {@code most} of what is left are in time; returns how many. */
  final int dropUntilFull(int model, int device, int most, long nowNs, Machine machine) {
    ArrayDeque<InferenceRequest> queue = queues.get(model);
    int size = Math.min(queue.size(), most);
    while (size > 0 && nowNs + costNs(model, device, size) > queue.getFirst().deadlineNs()) {
      dropHead(model, machine);
      size = Math.min(queue.size(), most);
    }
    return size;
  }

  @Override
  public final void arrive(int model, InferenceRequest request, long nowNs, Machine machine) {
    queues.get(model).addLast(request);
    queued++;
  }

  @Override
  public final void decide(long nowNs, Machine machine) {
    for (int d = 0; d < free.length && queued > 0 && freeSlots > 0; d++) {
      while (free[d] > 0 && !down[d]) {
        if (!startOn(d, nowNs, machine)) {
          if (uniform) {
            return;
          }
          break;
        }
      }
    }
  }

  private boolean startOn(int device, long nowNs, Machine machine) {
    int best = -1;
    int bestSize = 0;
    long bestUrgency = 0;
    for (int model : modelsOn[device]) {
      if (queues.get(model).isEmpty()) {
        continue;
      }
      int size = size(model, device, nowNs, machine);
      if (size > 0) {
        long urgency = urgency(model, device, size);
        if (best < 0 || urgency < bestUrgency) {
          best = model;
          bestSize = size;
          bestUrgency = urgency;
        }
      }
    }
    if (best < 0) {
      return false;
    }
    ArrayDeque<InferenceRequest> queue = queues.get(best);
    List<InferenceRequest> batch = new ArrayList<>(bestSize);
    for (int i = 0; i < bestSize; i++) {
      batch.add(queue.removeFirst());
    }
    queued -= bestSize;
    free[device]--;
    freeSlots--;
    machine.start(device, best, batch, NO_TOKEN);
    return true;
  }

  @Override
  public final void finished(Run run, long busyNs, long nowNs) {
    free[run.device()]++;
    freeSlots++;
  }

  @Override
  public final void lost(Run run, long nowNs) {
    finished(run, 0, nowNs);
  }

  @Override
  public final void deviceDown(int device, long nowNs) {
    down[device] = true;
  }

  @Override
  public final void deviceUp(int device, long nowNs) {
    down[device] = false;
  }

  @Override
  public final long wakeUpAtNs(long nowNs) {
    long atNs = NEVER;
    if (queued > 0 && freeSlots > 0) {
      for (int m = 0; m < models.length; m++) {
        if (!queues.get(m).isEmpty()) {
          atNs = Math.min(atNs, opensAtNs(m, nowNs));
        }
      }
    }
    return atNs;
  }
}
