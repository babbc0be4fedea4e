package dev.conveyor.models.device.sim;

import java.util.ArrayList;
import java.util.List;

/** Adds up sequences. Not thread-safe. */
final class SequenceTally {

  private static final int MOST_PROBLEMS = 20;

  private final List<String> problems = new ArrayList<>();
  private long answered;
  private long failed;
  private long handedOn;
  private long loads;
  private long refusedLoads;
  private long lostDevices;

  void add(DeviceSequence sequence) {
    answered += sequence.answered();
    failed += sequence.failed();
    handedOn += sequence.handedOn();
    loads += sequence.loads();
    refusedLoads += sequence.refusedLoads();
    lostDevices += sequence.lostDevices();
    for (String problem : sequence.problems()) {
      if (problems.size() < MOST_PROBLEMS) {
        problems.add(problem);
      }
    }
  }

  DeviceSequences.Outcome outcome() {
    return new DeviceSequences.Outcome(
        answered, failed, handedOn, loads, refusedLoads, lostDevices, List.copyOf(problems));
  }
}
