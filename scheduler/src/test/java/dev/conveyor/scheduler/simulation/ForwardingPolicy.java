package dev.conveyor.scheduler.simulation;

import dev.conveyor.scheduler.InferenceRequest;

/** Does what another policy does; tests change one thing. */
class ForwardingPolicy implements Policy {

  private final Policy to;

  ForwardingPolicy(Policy to) {
    this.to = to;
  }

  @Override
  public void arrive(int model, InferenceRequest request, long nowNs, Machine machine) {
    to.arrive(model, request, nowNs, machine);
  }

  @Override
  public void decide(long nowNs, Machine machine) {
    to.decide(nowNs, machine);
  }

  @Override
  public void finished(Run run, long busyNs, long nowNs) {
    to.finished(run, busyNs, nowNs);
  }

  @Override
  public void lost(Run run, long nowNs) {
    to.lost(run, nowNs);
  }

  @Override
  public void deviceDown(int device, long nowNs) {
    to.deviceDown(device, nowNs);
  }

  @Override
  public void deviceUp(int device, long nowNs) {
    to.deviceUp(device, nowNs);
  }

  @Override
  public long wakeUpAtNs(long nowNs) {
    return to.wakeUpAtNs(nowNs);
  }
}
