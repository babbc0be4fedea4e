package dev.conveyor.scheduler.fairness;

/**
 * Shares the time of one device among flows in proportion to their weights: start-time fair
 * queueing (Goyal, Vin and Cheng, 1996) with costs that are predicted at dispatch and corrected at
 * completion.
 *
 * <p>Not thread-safe: owned by the scheduler, one per device.
 *
 * <p>Each flow has a tag, the virtual time at which its next batch starts; a batch of cost c moves
 * it by c / weight. Serve the smallest tag first. Virtual time is the tag of the last dispatch. A
 * flow that comes back from idleness starts at virtual time at the earliest, so nobody saves up
 * credit by staying away. A flow that was held back for another reason (all its instances were
 * busy) keeps its credit, up to two of the most expensive batches seen lately.
 *
 * <p>Between flows that always have something to run, shares differ from the weights by at most the
 * cost of the batches in flight.
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

  /** An outlier stops mattering after a few hundred batches. */
  private static final double FADE = 0.99;

  private double virtualNs;
  private double largestCostNs;

  /** Adds a flow that starts now. */
  public Flow addFlow(double weight) {
    return new Flow(requirePositive(weight), virtualNs);
  }

  /** Tells that an idle flow has something to run again. */
  public void activate(Flow flow) {
    flow.tag = Math.max(flow.tag, virtualNs);
  }

  /** Returns when the flow's next batch starts, in virtual time; the smallest goes first. */
  public double startTag(Flow flow) {
    return Math.max(flow.tag, virtualNs - windowNs(flow));
  }

  /** Returns how far others may run ahead of a flow that waits for room on the device. */
  public double windowNs(Flow flow) {
    return 2 * largestCostNs / flow.weight;
  }

  /**
   * Charges a batch that starts.
   *
   * @param smallestTag the smallest start tag of the flows that could run, this one included
   */
  public void dispatch(Flow flow, double smallestTag, double costNs) {
    double start = startTag(flow);
    virtualNs = Math.max(virtualNs, smallestTag);
    largestCostNs = Math.max(costNs, largestCostNs * FADE);
    flow.tag = start + costNs / flow.weight;
  }

  /** Replaces the predicted cost of a batch by the actual one. */
  public void complete(Flow flow, double predictedNs, double actualNs) {
    flow.tag += (actualNs - predictedNs) / flow.weight;
    largestCostNs = Math.max(largestCostNs, actualNs);
  }

  private static double requirePositive(double weight) {
    if (!(weight > 0)) {
      throw new IllegalArgumentException("a weight is above 0, was " + weight);
    }
    return weight;
  }
}
