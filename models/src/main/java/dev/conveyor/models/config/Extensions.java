package dev.conveyor.models.config;

import java.util.List;

/**
 * What Triton has no word for: the {@code conveyor} block of a model's configuration.
 *
 * @param preprocessing inputs that take encoded images, with what is done to them
 * @param intraOpThreads threads of one execution on a CPU; 0 divides the cores among the instances
 * @param idleIntraOpThreads the same while nothing else wants the cores; 0 is no difference
 * @param weight share of device time against other models under load
 * @param admission what is taken in before requests are turned away
 * @param process what the processes of isolated instances may use
 * @param verify whether a model is tried in a process of its own before it is loaded
 * @param memory when it is in memory, and how much it may hold
 * @param serviceLevel what requests are promised
 * @param instances between how many instances it moves
 * @param rejectNonFinite outputs that hold NaN or infinity are refused, request by request
 * @param stepFlows of an ensemble: steps that run once per item, join items, or may be skipped
 * @param hedging whether requests that take long run a second time
 * @param rollout the version that is tried on live requests
 */
public record Extensions(
    List<Preprocessing> preprocessing,
    int intraOpThreads,
    int idleIntraOpThreads,
    double weight,
    Admission admission,
    ProcessIsolation process,
    Isolation verify,
    ModelMemory memory,
    ServiceLevel serviceLevel,
    InstanceRange instances,
    boolean rejectNonFinite,
    List<StepFlow> stepFlows,
    Hedging hedging,
    Rollout rollout) {

  public static final Extensions DEFAULT =
      new Extensions(
          List.of(), 0, 1.0, Admission.DEFAULT, ModelMemory.DEFAULT, ServiceLevel.DEFAULT);

  /** Creates extensions of a model that runs in the server's process, in a fixed number. */
  public Extensions(
      List<Preprocessing> preprocessing,
      int intraOpThreads,
      double weight,
      Admission admission,
      ModelMemory memory,
      ServiceLevel serviceLevel) {
    this(
        preprocessing,
        intraOpThreads,
        0,
        weight,
        admission,
        ProcessIsolation.DEFAULT,
        Isolation.NONE,
        memory,
        serviceLevel,
        InstanceRange.FIXED,
        false,
        List.of(),
        Hedging.OFF,
        Rollout.NONE);
  }

  public Extensions {
    preprocessing = List.copyOf(preprocessing);
    stepFlows = List.copyOf(stepFlows);
    if (intraOpThreads < 0) {
      throw new ConfigException("intra_op_threads", "0 or more", intraOpThreads);
    }
    if (idleIntraOpThreads < 0) {
      throw new ConfigException("idle_intra_op_threads", "0 or more", idleIntraOpThreads);
    }
    if (!(weight > 0) || weight > 1e6) {
      throw new ConfigException("weight", "a number above 0 and at most 1e6", weight);
    }
  }
}
