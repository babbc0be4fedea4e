package dev.conveyor.models.tune;

/**
 * Estimates what a run would have given if it had the machine for itself. Stateless.
 *
 * <p>On a machine that is busy with other things, throughput says as much about these as about the
 * setting. What a setting makes of a second of CPU time hardly depends on them; so what others took
 * while no core was idle is given to the run, as far as its threads could have used it.
 */
public final class Undisturbed {

  /** Part of the machine that others may take, or that may be idle, before it matters. */
  private static final double LITTLE = 0.05;

  private Undisturbed() {}

  /**
   * Returns inferences per second.
   *
   * @param perSecond as measured
   * @param ownCores CPU seconds that the run used, per second
   * @param otherCores that everything else on the machine used, per second
   * @param cores of the machine
   * @param wantedCores threads of the setting's instances together
   */
  public static double perSecond(
      double perSecond, double ownCores, double otherCores, int cores, int wantedCores) {
    double idle = cores - ownCores - otherCores;
    if (!(ownCores > 0) || otherCores < LITTLE * cores || idle > LITTLE * cores) {
      return perSecond;
    }
    double could = Math.min(ownCores + otherCores, Math.max(ownCores, wantedCores));
    return perSecond * could / ownCores;
  }
}
