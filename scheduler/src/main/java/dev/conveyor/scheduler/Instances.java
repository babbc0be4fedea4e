package dev.conveyor.scheduler;

/**
 * Instances as they come and go.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 */
final class Instances {

  private final ModelTable models;
  private final DeviceTable devices;
  private final LoadBoard loads;
  private final Agenda agenda;
  private final Intake intake;

  Instances(ModelTable models, DeviceTable devices, LoadBoard loads, Agenda agenda, Intake intake) {
    this.models = models;
    this.devices = devices;
    this.loads = loads;
    this.agenda = agenda;
    this.intake = intake;
  }

  /**
   * Adds an instance that waits for its first batch. One with the same index is taken for dead and
   * replaced.
   *
   * @throws IllegalArgumentException if its model or device is unknown
   */
  void add(InstanceRef ref, long nowNs) {
    ModelState model = models.find(ref.key());
    DeviceState device = devices.find(ref.device());
    if (model == null || device == null) {
      throw new IllegalArgumentException(
          ref.key() + "#" + ref.index() + ": unknown " + (model == null ? "model" : ref.device()));
    }
    InstanceState before = model.instances.get(ref.index());
    if (before != null) {
      before.drop(nowNs);
    }
    Placement placement = model.placeOn(device);
    InstanceState instance = new InstanceState(ref, placement);
    model.instances.put(ref.index(), instance);
    placement.free.addLast(instance);
    model.countInstances();
    model.lostReason = null;
    loads.touch(model);
    agenda.touch(model);
  }

  /** Gives an instance no more batches; it is gone when its current one is done. */
  void remove(String key, int index, long nowNs) {
    ModelState model = models.find(key);
    InstanceState instance = model == null ? null : model.instances.get(index);
    if (model == null || instance == null) {
      return;
    }
    instance.leaving = true;
    model.countInstances();
    if (instance.running == null) {
      instance.forget();
    }
    agenda.touch(model);
    intake.handOverIfStranded(model, nowNs);
  }

  /** Rejects everything until an instance reports: see {@link Scheduler#giveUp}. */
  void giveUp(String key, String reason, long retryAtNs, long nowNs) {
    ModelState model = models.find(key);
    if (model != null && model.activeInstances() == 0) {
      model.lostReason = reason;
      model.retryAtNs = retryAtNs;
      loads.touch(model);
      agenda.touch(model);
      model.batcher.rejectAll(Refusals.lost(model, reason, nowNs), intake.rejected());
    }
  }
}
