package dev.conveyor.scheduler.batching;

import dev.conveyor.scheduler.InferenceRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ObjIntConsumer;

/**
 * Who goes before whom in a queue that tenants share, and who gives way when it is full.
 *
 * <p>Not thread-safe: owned by its {@link RequestQueue}, whose lanes it looks at; of these only
 * those count that are in the fair order of tenants, not in that of deadlines. Reads no clock.
 */
final class FairPlaces {

  private final Lane[] lanes;
  private final int[] laneOfLevel;
  private final QueueCounts counts;

  /**
   * Creates the rule.
   *
   * @param laneOfLevel first lane of each level, from 1
   */
  FairPlaces(Lane[] lanes, int[] laneOfLevel, QueueCounts counts) {
    this.lanes = lanes;
    this.laneOfLevel = laneOfLevel;
    this.counts = counts;
  }

  /**
   * Returns what goes before a request with this place at a level. What has aged into a level above
   * is left out, so it may be less than there is, never more.
   */
  Ahead ahead(int level, long fairTagNs) {
    int requests = counts.requestsUpTo(level - 1);
    int items = counts.itemsUpTo(level - 1);
    long bytes = counts.bytesUpTo(level - 1);
    Lane lane = lanes[laneOfLevel[level]];
    for (int i = 0; i < lane.size() && lane.request(i).notes().fairTagNs() <= fairTagNs; i++) {
      InferenceRequest request = lane.request(i);
      requests++;
      items += request.batchSize();
      bytes += request.inputBytes();
    }
    return new Ahead(requests, items, bytes);
  }

  /**
   * Takes out what gives way to a request: the last ones of its level, as far as they go after it.
   *
   * @param bytes that must become free, besides a place if its level has none
   * @return empty if that would not make room; then nothing was taken out
   */
  List<InferenceRequest> displaceFor(InferenceRequest request, long bytes) {
    int level = counts.level(request);
    int maxSize = lanes[laneOfLevel[level]].maxSize();
    if (maxSize > 0 && counts.requests(level) > maxSize) {
      return List.of(); // one place less would not be one for this request
    }
    long freedBytes = 0;
    // What has aged into a higher level goes before it, whatever its tenant's share is.
    for (int i = endOf(level) - 1; i >= laneOfLevel[level]; i--) {
      Lane lane = lanes[i];
      for (int at = lane.size() - 1; at >= 0 && lane.isBehind(at, request); at--) {
        if (givesWay(lane, at, request)) {
          freedBytes += lane.request(at).inputBytes();
          if (freedBytes >= bytes) {
            return takeOut(i, at, request);
          }
        }
      }
    }
    return List.of();
  }

  private boolean givesWay(Lane lane, int at, InferenceRequest request) {
    InferenceRequest other = lane.request(at);
    return lane.isBehind(at, request)
        && counts.level(other) == counts.level(request)
        && !other.isRepeated();
  }

  /** Takes out what gives way from one place on. */
  private List<InferenceRequest> takeOut(int fromLane, int from, InferenceRequest request) {
    List<InferenceRequest> displaced = new ArrayList<>(1);
    for (int i = fromLane; i < endOf(counts.level(request)); i++) {
      Lane lane = lanes[i];
      int first = i == fromLane ? from : 0;
      lane.removeIf(
          at -> at >= first && givesWay(lane, at, request) && displaced.add(lane.request(at)));
    }
    displaced.forEach(counts::remove);
    return displaced;
  }

  /** Shows everything that waits, in the order of each level, and the level at which it does. */
  void forEach(ObjIntConsumer<InferenceRequest> visitor) {
    for (int level = 1; level < laneOfLevel.length; level++) {
      for (int i = laneOfLevel[level]; i < endOf(level); i++) {
        for (int at = 0; at < lanes[i].size(); at++) {
          visitor.accept(lanes[i].request(at), level);
        }
      }
    }
  }

  private int endOf(int level) {
    return level + 1 < laneOfLevel.length ? laneOfLevel[level + 1] : lanes.length;
  }
}
