package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.T0;
import static dev.conveyor.scheduler.TestRequests.request;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.DynamicBatching;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A scheduler under virtual time, and what tests ask of it. */
abstract class SchedulerCase {

  final Scheduler scheduler;

  SchedulerCase(DeviceSpec... devices) {
    scheduler = new Scheduler(List.of(devices));
  }

  void add(String name, int max, DynamicBatching batching, double weight) {
    scheduler.addModel(
        new ModelPlan(name, "1", max, Optional.ofNullable(batching), weight, 100), T0);
  }

  InferenceException submit(String model) {
    return scheduler.submit(request().model(model).build(), T0);
  }

  List<Assignment> pollAll(long nowNs) {
    List<Assignment> all = new ArrayList<>();
    Assignment next = scheduler.poll(nowNs);
    while (next != null) {
      all.add(next);
      next = scheduler.poll(nowNs);
    }
    return all;
  }

  List<ErrorCode> rejectedCodes() {
    return scheduler.takeRejected().stream().map(r -> r.failure().code()).toList();
  }

  int used(String device) {
    return scheduler.snapshot(T0).devices().stream()
        .filter(d -> d.name().equals(device))
        .mapToInt(SchedulerSnapshot.Device::used)
        .sum();
  }

  static BatchOutcome ran(long busyNs) {
    return new BatchOutcome(true, 1, 0, 0, busyNs, 0, busyNs);
  }
}
