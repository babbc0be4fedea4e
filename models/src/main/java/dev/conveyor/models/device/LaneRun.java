package dev.conveyor.models.device;

import dev.conveyor.models.backend.BatchRequest;
import java.util.AbstractList;
import java.util.List;

/**
 * The requests of one run of one lane, which whoever is told of them finds its lane by: the list
 * behind it may be in flight on other lanes too. Immutable, as far as that list is.
 */
final class LaneRun extends AbstractList<BatchRequest> {

  private final Lane lane;
  private final List<? extends BatchRequest> requests;

  LaneRun(Lane lane, List<? extends BatchRequest> requests) {
    this.lane = lane;
    this.requests = requests;
  }

  /** Returns the lane that runs a batch which a pipeline of lanes tells of. */
  static Lane laneOf(List<? extends BatchRequest> submitted) {
    if (submitted instanceof LaneRun run) {
      return run.lane;
    }
    throw new IllegalStateException("a batch that no lane has submitted");
  }

  @Override
  public BatchRequest get(int index) {
    return requests.get(index);
  }

  @Override
  public int size() {
    return requests.size();
  }
}
