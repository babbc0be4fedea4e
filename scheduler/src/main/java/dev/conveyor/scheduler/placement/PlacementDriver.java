package dev.conveyor.scheduler.placement;

import dev.conveyor.scheduler.placement.PlacementPlanner.Plan;
import dev.conveyor.scheduler.placement.PlacementPlanner.Settings;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Has a server's models follow their load: counts what comes, asks the {@link PlacementPlanner},
 * and says what to do next, one move at a time.
 *
 * <p>Not thread-safe: called by one thread at a time. Reads no clock. Between a move and its end
 * nothing further is decided; rates are counted all the same. A model whose load failed stays where
 * it is for a minute, doubled with each failure in a row up to ten.
 */
public final class PlacementDriver {

  private static final long FIRST_BACKOFF_NS = 60_000_000_000L;
  private static final int MOST_DOUBLINGS = 3;
  private static final long LONGEST_BACKOFF_NS = 600_000_000_000L;

  /** On a GPU kernels run one after the other; copies beside them are in the learned times. */
  private static final int SLOTS = 1;

  /**
   * What to do: these models leave a device, then another one is loaded there.
   *
   * @param model {@link FleetView.Model#key}
   * @param leaving likewise; each is on another device, too
   * @param reason why, in words
   */
  public record Move(String model, String device, List<String> leaving, String reason) {
    public Move {
      leaving = List.copyOf(leaving);
    }
  }

  /** How a move ended. */
  public enum End {
    DONE,
    /** The load failed. What left to make room for it has left. */
    FAILED,
    /** It was not begun: something had changed since the look. */
    STALE
  }

  /** What is remembered of one model. */
  private static final class Track {
    private final ArrivalRate rate = new ArrivalRate();
    private String deployment = "";
    private long requests;
    private long atNs;
    private int failures;
    private long notBeforeNs;

    /** The first look at a deployment is what the next one is compared with. */
    void count(FleetView.Model now, long nowNs) {
      if (deployment.equals(now.deployment()) && nowNs - atNs > 0) {
        long came = Math.max(0, now.arrivedRequests() - requests);
        rate.onWindow(came * now.itemsPerRequest(), (nowNs - atNs) / 1e9);
      }
      deployment = now.deployment();
      requests = now.arrivedRequests();
      atNs = nowNs;
    }

    boolean waits(long nowNs) {
      return failures > 0 && notBeforeNs - nowNs > 0;
    }
  }

  private final PlacementPlanner planner;
  private final Map<String, Track> tracks = new HashMap<>();
  private boolean moving;
  private String reason = "nothing was looked at yet";

  public PlacementDriver(Settings settings) {
    this.planner = new PlacementPlanner(settings);
  }

  /**
   * Looks at a server, every few seconds. May take a second where there are many models and
   * devices.
   */
  public Optional<Move> look(FleetView view) {
    count(view);
    if (moving || view.devices().isEmpty() || view.models().isEmpty()) {
      return Optional.empty();
    }
    Map<String, Integer> numbers = new HashMap<>();
    for (int d = 0; d < view.devices().size(); d++) {
      numbers.put(view.devices().get(d).name(), d);
    }
    List<ModelNeed> needs = new ArrayList<>();
    List<List<Integer>> devicesOf = new ArrayList<>();
    for (FleetView.Model model : view.models()) {
      needs.add(need(model, view.takenNs()));
      devicesOf.add(
          model.devices().stream().filter(numbers::containsKey).map(numbers::get).toList());
    }
    Layout present = Layout.of(devicesOf);
    Plan plan = planner.plan(devices(view, needs, present), needs, present, view.takenNs());
    reason = plan.reason();
    Optional<Move> move = plan.step().map(step -> move(step, view));
    moving = move.isPresent();
    return move;
  }

  /** Takes note of how the last move ended. */
  public void onEnd(Move move, End end, long nowNs) {
    moving = false;
    Track track = tracks.get(move.model());
    if (track != null && end == End.DONE) {
      track.failures = 0;
    } else if (track != null && end == End.FAILED) {
      long backoffNs = FIRST_BACKOFF_NS << Math.min(track.failures, MOST_DOUBLINGS + 1);
      track.failures++;
      track.notBeforeNs = nowNs + Math.min(backoffNs, LONGEST_BACKOFF_NS);
    }
  }

  /** Returns what came of the last look, in words. */
  public String reason() {
    return reason;
  }

  private void count(FleetView view) {
    Map<String, Track> kept = new HashMap<>();
    for (FleetView.Model model : view.models()) {
      Track track = tracks.getOrDefault(model.key(), new Track());
      track.count(model, view.takenNs());
      kept.put(model.key(), track);
    }
    tracks.clear();
    tracks.putAll(kept);
  }

  private ModelNeed need(FleetView.Model model, long nowNs) {
    Track track = tracks.getOrDefault(model.key(), new Track());
    return new ModelNeed(
        model.key(),
        model.bytes(),
        model.loadNs(),
        model.maxBatchSize(),
        model.objectiveNs(),
        track.rate.perSecond(),
        !model.movable() || track.waits(nowNs),
        1,
        model.maxDevices(),
        model.times());
  }

  /** What the models of the layout may take is what they have and what is free. */
  private static List<FleetDevice> devices(FleetView view, List<ModelNeed> needs, Layout present) {
    List<FleetDevice> devices = new ArrayList<>();
    for (int d = 0; d < view.devices().size(); d++) {
      FleetView.Device device = view.devices().get(d);
      long bytes = Math.max(0, device.freeBytes()) + present.bytesOn(d, needs);
      devices.add(new FleetDevice(device.name(), device.kind(), bytes, 1, SLOTS));
    }
    return devices;
  }

  private static Move move(PlacementStep step, FleetView view) {
    return new Move(
        view.models().get(step.model()).key(),
        view.devices().get(step.device()).name(),
        step.leaving().stream().map(model -> view.models().get(model).key()).toList(),
        step.reason());
  }
}
