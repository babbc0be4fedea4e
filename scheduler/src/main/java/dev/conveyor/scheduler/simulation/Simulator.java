package dev.conveyor.scheduler.simulation;

import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.simulation.SimulationObserver.Answer;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Runs one policy through one scenario at one rate, under virtual time.
 *
 * <p>Not thread-safe: one object, one {@link #run}. Deterministic: the arrivals depend on seed and
 * rate only, so that every policy sees the same ones.
 *
 * <p>At equal times, batches finish first, then faults happen, then requests arrive; the policy
 * decides after each event. A run ends when every request has been answered, long queues included.
 */
public final class Simulator {

  /** No server's timer is finer: a policy that asks to be woken at once comes round after this. */
  private static final long FINEST_TIMER_NS = 1000;

  private static final ReplyTo NOBODY = ReplyTo.unheard();

  private final Scenario scenario;
  private final double ratePerSecond;
  private final Policy policy;
  private final SimulationObserver observer;
  private final ArrivalTimes times;
  private final Popularity popularity;
  private final SplittableRandom picks;
  private final Scenario.Model[] models;
  private final Devices devices;
  private final Tally tally;
  private final FaultClock faults;
  private final MachineView machine = new MachineView();
  private long nowNs;
  private long arrivalNs;
  private int arrivalModel;
  private long outstanding;

  public Simulator(
      Scenario scenario, double ratePerSecond, Policy policy, SimulationObserver observer) {
    this.scenario = scenario;
    this.ratePerSecond = ratePerSecond;
    this.policy = policy;
    this.observer = observer;
    this.models = scenario.models().toArray(new Scenario.Model[0]);
    this.times = ArrivalTimes.of(scenario.arrivals(), ratePerSecond, scenario.seed());
    this.picks = new SplittableRandom(scenario.seed() + 1);
    this.popularity = new Popularity(scenario);
    this.devices = new Devices(scenario);
    this.tally = new Tally(scenario);
    this.faults = new FaultClock(scenario.faults());
  }

  /**
   * Runs to the end.
   *
   * @throws IllegalStateException if the policy leaves requests without an answer
   */
  public SimulationResult run() {
    takeArrival();
    while (arrivalNs < Policy.NEVER || outstanding > 0) {
      long finishNs = devices.nextFinishNs();
      long faultNs = faults.nextNs();
      long wakeNs = policy.wakeUpAtNs(nowNs);
      if (wakeNs != Policy.NEVER) {
        wakeNs = Math.max(wakeNs, nowNs + FINEST_TIMER_NS);
      }
      long nextNs = Math.min(Math.min(finishNs, faultNs), Math.min(arrivalNs, wakeNs));
      if (nextNs == Policy.NEVER) {
        throw new IllegalStateException(
            outstanding + " requests were never answered in " + scenario.name());
      }
      nowNs = nextNs;
      if (finishNs == nextNs) {
        finish(devices.removeFirst());
      } else if (faultNs == nextNs) {
        fault(faults.take());
      } else if (arrivalNs == nextNs) {
        arrive();
      }
      policy.decide(nowNs, machine);
    }
    return tally.result(ratePerSecond, policy.loads());
  }

  private void takeArrival() {
    long nextNs = popularity.timeNs(times.nextNs());
    arrivalModel = times.model();
    arrivalNs = nextNs < scenario.durationNs() ? nextNs : Policy.NEVER;
  }

  private void arrive() {
    int index = arrivalModel;
    if (index < 0) {
      index = models.length == 1 ? 0 : popularity.draw(nowNs, picks);
    }
    Scenario.Model model = models[index];
    InferenceRequest request =
        InferenceRequest.of(model.name(), ConveyorNames.VERSION, List.of(), NOBODY)
            .arrivalNs(nowNs)
            .deadlineNs(nowNs + model.objectiveNs())
            .build();
    outstanding++;
    tally.arrived(index, nowNs);
    observer.arrived(index, request, nowNs);
    takeArrival();
    policy.arrive(index, request, nowNs, machine);
  }

  private void finish(Run run) {
    List<InferenceRequest> requests = run.requests;
    for (int i = 0; i < requests.size(); i++) {
      InferenceRequest request = requests.get(i);
      answer(run.model, request, nowNs <= request.deadlineNs() ? Answer.IN_TIME : Answer.LATE);
    }
    policy.finished(run, run.finishNs - run.startNs, nowNs);
  }

  private void answer(int model, InferenceRequest request, Answer answer) {
    outstanding--;
    tally.answered(model, request.arrivalNs(), nowNs, answer);
    observer.answered(model, request, answer, nowNs);
  }

  private void fault(FaultClock.Moment moment) {
    Scenario.Fault fault = moment.fault();
    switch (fault.kind()) {
      case LOST -> {
        if (moment.isEnd()) {
          devices.setDown(fault.device(), false);
          policy.deviceUp(fault.device(), nowNs);
        } else {
          for (Run run : devices.removeOn(fault.device())) {
            run.requests.forEach(request -> answer(run.model, request, Answer.LOST));
            policy.lost(run, nowNs);
          }
          devices.setDown(fault.device(), true);
          policy.deviceDown(fault.device(), nowNs);
        }
      }
      case SLOW_DOWN -> devices.setFactor(fault.device(), moment.isEnd() ? 1 : fault.factor());
      case STALL -> {
        if (!moment.isEnd()) {
          devices.stall(fault.device(), nowNs, fault.forNs());
        }
      }
    }
  }

  private final class MachineView implements Policy.Machine {

    @Override
    public void start(int device, int model, List<InferenceRequest> requests, Object token) {
      if (requests.isEmpty()) {
        throw new IllegalStateException("an empty batch for " + models[model].name());
      }
      Run run = devices.start(device, model, requests, token, nowNs);
      tally.started(run);
      observer.started(run);
    }

    @Override
    public void refuse(int model, InferenceRequest request) {
      answer(model, request, Answer.REFUSED);
    }
  }
}
