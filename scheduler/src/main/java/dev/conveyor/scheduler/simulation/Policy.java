package dev.conveyor.scheduler.simulation;

import dev.conveyor.scheduler.InferenceRequest;
import java.util.List;

/**
 * Decides what runs where and when, in a simulation.
 *
 * <p>Not thread-safe: made for one run and owned by its {@link Simulator}.
 */
public interface Policy {

  /** What {@link #wakeUpAtNs} returns if only an event can change anything. */
  long NEVER = Long.MAX_VALUE;

  /** Takes a request; may refuse it. */
  void arrive(int model, InferenceRequest request, long nowNs, Machine machine);

  /** Starts and refuses what is to be started and refused now; called after every event. */
  void decide(long nowNs, Machine machine);

  /** Takes note that a batch has run. */
  void finished(Run run, long busyNs, long nowNs);

  /** Takes note that a batch will not be answered; its device is about to be gone. */
  void lost(Run run, long nowNs);

  /** Takes note that a device is gone; nothing runs on it any more. */
  void deviceDown(int device, long nowNs);

  /** Takes note that a device is back. */
  void deviceUp(int device, long nowNs);

  /** Returns how many times it had a model loaded onto one more device. */
  default long loads() {
    return 0;
  }

  /** Returns when to call {@link #decide} though no event comes, or {@link #NEVER}. */
  long wakeUpAtNs(long nowNs);

  /** What a policy can do. */
  interface Machine {

    /**
     * Starts a batch.
     *
     * @param token handed back in {@link Run#token}
     */
    void start(int device, int model, List<InferenceRequest> requests, Object token);

    /** Answers a request without running it. */
    void refuse(int model, InferenceRequest request);
  }
}
