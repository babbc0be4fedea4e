package dev.conveyor.scheduler.simulation;

import dev.conveyor.scheduler.InferenceRequest;
import java.util.List;

/** A batch that runs. Owned by the simulator. */
public final class Run {

  final int device;
  final int model;
  final List<InferenceRequest> requests;
  final Object token;
  final long startNs;
  long finishNs;

  /** How many times as long its work takes now, for what runs beside it. */
  double stretch = 1;

  Run(
      int device,
      int model,
      List<InferenceRequest> requests,
      Object token,
      long startNs,
      long finishNs) {
    this.device = device;
    this.model = model;
    this.requests = requests;
    this.token = token;
    this.startNs = startNs;
    this.finishNs = finishNs;
  }

  public int device() {
    return device;
  }

  public int model() {
    return model;
  }

  public List<InferenceRequest> requests() {
    return requests;
  }

  public Object token() {
    return token;
  }

  public long startNs() {
    return startNs;
  }

  public long finishNs() {
    return finishNs;
  }
}
