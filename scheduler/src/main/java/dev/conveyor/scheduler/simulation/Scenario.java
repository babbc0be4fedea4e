package dev.conveyor.scheduler.simulation;

import dev.conveyor.models.config.ConfigException;
import java.util.List;

/**
 * One experiment. Immutable.
 *
 * @param durationNs requests arrive for so long; then the run goes on until all are answered
 * @param warmupNs requests that arrive before are not counted
 * @param ratePerSecond of all models together before anything changes; 0 leaves it to whoever runs
 *     it
 * @param changes of the models' popularity, in the order of time
 * @param stretches what models do to each other on a device; pairs that are not named do nothing
 */
public record Scenario(
    String name,
    String description,
    long seed,
    long durationNs,
    long warmupNs,
    double ratePerSecond,
    List<Device> devices,
    List<Model> models,
    Arrivals arrivals,
    List<Fault> faults,
    List<Change> changes,
    List<Stretch> stretches) {

  /** Creates a scenario where the models' popularity stays as it is, and none disturbs another. */
  public Scenario(
      String name,
      String description,
      long seed,
      long durationNs,
      long warmupNs,
      double ratePerSecond,
      List<Device> devices,
      List<Model> models,
      Arrivals arrivals,
      List<Fault> faults) {
    this(
        name,
        description,
        seed,
        durationNs,
        warmupNs,
        ratePerSecond,
        devices,
        models,
        arrivals,
        faults,
        List.of(),
        List.of());
  }

  public Scenario {
    changes = List.copyOf(changes);
    stretches = List.copyOf(stretches);
    devices = List.copyOf(devices);
    models = List.copyOf(models);
    faults = List.copyOf(faults);
    if (devices.isEmpty()) {
      throw new ConfigException("devices", "one device or more", "none");
    }
    if (models.isEmpty()) {
      throw new ConfigException("models", "one model or more", "none");
    }
    if (warmupNs >= durationNs) {
      throw new ConfigException(
          "warmup_seconds", "less than duration_seconds=" + durationNs / 1e9, warmupNs / 1e9);
    }
  }

  /**
   * One device.
   *
   * @param slots batches that it runs at once without slowing any down
   * @param speed a batch takes its cost divided by this
   * @param memoryBytes that its models may take
   */
  public record Device(String name, int slots, double speed, long memoryBytes) {

    /** Creates a device with memory for everything. */
    public Device(String name, int slots, double speed) {
      this(name, slots, speed, Long.MAX_VALUE);
    }
  }

  /**
   * One model, with one instance per slot on each of its devices.
   *
   * @param objectiveNs every request is due so long after it arrived
   * @param popularity share of the arrivals, relative to the other models
   * @param cost of a batch on a device of speed 1
   * @param noise standard deviation of the logarithm of each batch's time
   * @param devices indices of the devices that hold it at first
   * @param bytes that it takes of each device that holds it
   * @param loadNs from when a device is to hold it until it runs batches there
   */
  public record Model(
      String name,
      long objectiveNs,
      double weight,
      double popularity,
      CostCurve cost,
      double noise,
      List<Integer> devices,
      long bytes,
      long loadNs) {

    public Model {
      devices = List.copyOf(devices);
    }

    /** Creates a model that takes no memory and no time to load. */
    public Model(
        String name,
        long objectiveNs,
        double weight,
        double popularity,
        CostCurve cost,
        double noise,
        List<Integer> devices) {
      this(name, objectiveNs, weight, popularity, cost, noise, devices, 0, 0);
    }
  }

  /**
   * What two models do to each other, or one to itself.
   *
   * @param times how many times as long the work of either takes while the other runs on the same
   *     device
   */
  public record Stretch(int model, int beside, double times) {}

  /** Something that happens to the models' popularity, and lasts. */
  public sealed interface Change {

    long atNs();

    /** Every model gets the popularity of the one {@code places} before it, round and round. */
    record Rotation(long atNs, int places) implements Change {}

    /** A model gets so many times its popularity; the rate of the others stays. */
    record Factor(long atNs, int model, double factor) implements Change {}
  }

  /** When requests come. All processes keep the mean rate of the run. */
  public sealed interface Arrivals {

    /** Independent gaps, exponential. */
    record Poisson() implements Arrivals {}

    /**
     * Independent gaps, hyper-exponential with balanced means.
     *
     * @param cv coefficient of variation of the gaps, above 1
     */
    record HyperExponential(double cv) implements Arrivals {}

    /**
     * A Markov-modulated Poisson process of two states with exponential dwell times.
     *
     * @param offFraction rate while off, as a fraction of the rate while on
     */
    record OnOff(double onNs, double offNs, double offFraction) implements Arrivals {}

    /**
     * Poisson with a rate that follows a curve, from its start again at its end.
     *
     * @param points ascending from 0; the last is the length of the curve
     */
    record Curve(List<Point> points) implements Arrivals {

      public Curve {
        points = List.copyOf(points);
      }

      /** The relative rate at a time; linear between two of them. */
      public record Point(double atNs, double level) {}
    }

    /**
     * What came once, again: from its start when it has ended, and faster or slower than it was, so
     * that the mean rate is that of the run.
     *
     * @param requests in the order in which they came
     * @param lengthNs time from the start of one turn to the start of the next
     */
    record Trace(List<Arrival> requests, double lengthNs) implements Arrivals {

      public Trace {
        requests = List.copyOf(requests);
      }

      /**
       * One request.
       *
       * @param atNs since the start, not before the one ahead of it
       * @param model index of the model it is for
       */
      public record Arrival(double atNs, int model) {}
    }
  }

  /** Something that happens to a device. */
  public record Fault(Kind kind, long atNs, long forNs, int device, double factor) {

    /** What happens. */
    public enum Kind {
      /** Its batches are lost and its instances gone; they come back afterwards. */
      LOST,
      /** Batches that start meanwhile take {@code factor} times as long. */
      SLOW_DOWN,
      /** Nothing moves meanwhile. */
      STALL
    }

    /** Returns true if the same would happen to the same device twice at a time. */
    boolean overlaps(Fault other) {
      return kind == other.kind
          && device == other.device
          && atNs < other.atNs + other.forNs
          && other.atNs < atNs + forNs;
    }
  }

  /** Returns the number of batches that can run at once. */
  public int slots() {
    return devices.stream().mapToInt(Device::slots).sum();
  }

  /**
   * Returns the rate in requests per second that no policy can exceed: every slot busy with the
   * largest batches whose time alone is within the objective, in the proportion of the models'
   * popularity.
   */
  public double boundPerSecond() {
    double popularity = 0;
    double secondsPerRequest = 0;
    for (Model model : models) {
      int largest = Math.max(1, model.cost.largestWithin(model.objectiveNs));
      secondsPerRequest += model.popularity * model.cost.ns(largest) / largest / 1e9;
      popularity += model.popularity;
    }
    double speed = devices.stream().mapToDouble(device -> device.slots * device.speed).sum();
    return speed * popularity / secondsPerRequest;
  }
}
