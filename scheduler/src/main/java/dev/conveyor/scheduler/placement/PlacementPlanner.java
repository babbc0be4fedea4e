package dev.conveyor.scheduler.placement;

import java.util.List;
import java.util.Optional;

/**
 * Decides which model is to be on which device, one step at a time.
 *
 * <p>Not thread-safe: owned by whoever carries the steps out. Reads no clock.
 *
 * <p>A layout is judged by {@link SquishyPacking}: by how much of what comes, with two fifths to
 * spare, its devices carry within the objectives. A step loads one model onto one more device; what
 * leaves to make room is on another device, too, or nothing comes for it, so that nobody is without
 * service on the way. A copy that is not needed any more stays until its memory is: when load
 * returns, it need not be loaded again.
 *
 * <p>To pack everything anew and go there would be better for a moment and worse over time, because
 * best fit answers a small change of the rates with quite another packing. So the steps are local,
 * and the value of the layout rises with each of them, which is why constant rates come to rest.
 * What is looked at is bounded: the models that fall shortest and their largest neighbours, on the
 * devices with the most time to spare.
 *
 * <p>Hysteresis: a step must carry at least a tenth of what the model that falls short asks for,
 * and it is taken once as much work has been lost for want of it as the load costs, which is what
 * comes for the model while it loads. So a burst that would be over before the load has paid for
 * itself loads nothing, and nobody has to know how long it will last: like who rents skis until the
 * rent has come to their price, this loses at most twice what it must (Karlin et al., "Competitive
 * snoopy caching", 1988). A model that something comes for and that is nowhere does not wait.
 */
public final class PlacementPlanner {

  /** What was longer ago was not looked at, and says nothing about what was lost. */
  private static final long LONGEST_WINDOW_NS = 10_000_000_000L;

  /**
   * When to take a step. The defaults were tuned on the two scenarios {@code placement-shift} and
   * {@code placement-burst}, and on nothing else.
   *
   * @param headroom how many times of what comes is to be carried
   * @param gain least part of the short model's need, or of one device if that is less, that a step
   *     must add
   * @param price how many times what comes for a model while it loads must have been lost
   */
  public record Settings(double headroom, double gain, double price) {

    public static final Settings DEFAULT = new Settings(1.4, 0.1, 1);
  }

  /**
   * What is to be done.
   *
   * @param packing how the present layout shares the load
   * @param step what to change, if anything
   * @param reason why, in words
   */
  public record Plan(Packing packing, Optional<PlacementStep> step, String reason) {}

  private final Settings settings;

  /** Device time that was lost since the layout began to fall short, times nanoseconds. */
  private double lost;

  private boolean looked;
  private long lookedNs;

  public PlacementPlanner(Settings settings) {
    this.settings = settings;
  }

  /**
   * Looks at the present layout. Not to be called while a step is carried out.
   *
   * @param devices what they are numbered by in {@code present}, as {@code models}
   */
  public Plan plan(List<FleetDevice> devices, List<ModelNeed> models, Layout present, long nowNs) {
    StepSearch look = new StepSearch(devices, settings, models, present);
    PlacementStep first = look.placeNowhere();
    if (first != null) {
      return new Plan(look.packing(), Optional.of(first), first.reason());
    }
    PlacementStep best = look.best();
    long sinceNs = looked ? Math.min(nowNs - lookedNs, LONGEST_WINDOW_NS) : 0;
    looked = true;
    lookedNs = nowNs;
    if (best == null) {
      lost = 0;
      return new Plan(look.packing(), Optional.empty(), look.whyNone());
    }
    lost += best.gain() * sinceNs;
    double price = settings.price * look.loadCost(best);
    if (lost < price) {
      String soFar =
          StepSearch.text("not yet, %.0f %% of what it costs is lost: ", 100 * lost / price);
      return new Plan(look.packing(), Optional.empty(), soFar + best.reason());
    }
    lost -= price;
    return new Plan(look.packing(), Optional.of(best), best.reason());
  }
}
