package dev.conveyor.scheduler.fairness;

/**
 * Shares the time of one device among flows in proportion to their weights: start-time fair
 * queueing (Goyal, Vin and Cheng, 1996) with costs that are predicted at dispatch and corrected at
 * completion.
 *
 * <p>Not thread-safe: owned by the scheduler, one per device.
 *
 * <p>Each flow has a tag, the virtual time at which its next batch starts; a batch of cost c moves
 * it by c / weight. Serve the smallest tag first, or, as {@link RunQueue} does, any tag that is at
 * most a window ahead of it. Virtual time is the tag of the last dispatch. A flow that comes back
 * from idleness starts at virtual time at the earliest, so nobody saves up credit by staying away.
 * A flow that was held back for another reason (all its instances were busy) keeps its credit, up
 * to two of the most expensive batches seen lately.
 *
 * <p>Between flows that always have something to run, shares differ from the weights by at most the
 * window and the cost of the batches in flight.
 */
public final class StartTimeFairQueue {

  /** One competitor for the device. Not thread-safe: owned by its queue. */
  public static final class Flow {
    private double weight;
    private double tag;

    private Flow(double weight, double tag) {
      this.weight = weight;
      this.tag = tag;
    }

    /** Changes the share from now on. */
    public void setWeight(double weight) {
      this.weight = requirePositive(weight);
    }
  }

  /**
   * The window, in batches: wide enough to choose by deadline (two cost 4 % of the goodput of four
   * models that share a device, four cost nothing measurable), but not so wide that long batches
   * could not share a second fairly.
   */
  private static final double WIDEST = 4;

  private static final double NARROWEST = 2;
  private static final double ENOUGH_NS = 25_000_000;

  /** An outlier stops mattering after a hundred batches. */
  private static final double FADE = 0.97;

  private double virtualNs;
  private double furthestNs;
  private double largestCostNs;

  /** Adds a flow that starts now. */
  public Flow addFlow(double weight) {
    return new Flow(requirePositive(weight), virtualNs);
  }

  /** Tells that an idle flow has something to run again. */
  public void activate(Flow flow) {
    flow.tag = Math.max(flow.tag, virtualNs);
  }

  /** Tells that a flow competes from now on; credit beyond its window is lost. */
  public void enter(Flow flow) {
    flow.tag = Math.max(flow.tag, virtualNs - windowNs(flow));
  }

  /** Returns when the flow's next batch starts, in virtual time. */
  public double startTag(Flow flow) {
    return flow.tag;
  }

  /** Returns how far a flow may run ahead of others, or keep credit against them. */
  public double windowNs(Flow flow) {
    double window = Math.min(WIDEST * largestCostNs, ENOUGH_NS);
    return Math.max(NARROWEST * largestCostNs, window) / flow.weight;
  }

  /** Charges a batch that starts. */
  public void dispatch(Flow flow, double costNs) {
    virtualNs = Math.max(virtualNs, flow.tag);
    move(flow, costNs);
  }

  /** Replaces the predicted cost of a batch by the actual one. */
  public void complete(Flow flow, double predictedNs, double actualNs) {
    move(flow, actualNs - predictedNs);
    // Not what was predicted: a wrong guess at a first batch would widen the window for long.
    largestCostNs = Math.max(actualNs, largestCostNs * FADE);
  }

  /**
   * Tells that no flow has anything to run, nor runs: whoever comes next meets nobody that it owes
   * time.
   */
  public void rest() {
    virtualNs = Math.max(virtualNs, furthestNs);
  }

  private void move(Flow flow, double costNs) {
    flow.tag += costNs / flow.weight;
    furthestNs = Math.max(furthestNs, flow.tag);
  }

  private static double requirePositive(double weight) {
    if (!(weight > 0)) {
      throw new IllegalArgumentException("a weight is above 0, was " + weight);
    }
    return weight;
  }
}
