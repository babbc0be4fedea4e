package dev.conveyor.scheduler.residency;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/**
 * A sequence of requests for models of given sizes. Immutable.
 *
 * @param bytes size of each model
 * @param models the model of each request, in order of arrival
 */
public record ResidencyTrace(String name, List<Long> bytes, List<Integer> models) {

  public ResidencyTrace {
    bytes = List.copyOf(bytes);
    models = List.copyOf(models);
  }

  /**
   * How a trace is made: as many arrival processes as models, whose rates follow Zipf's law.
   *
   * @param exponent of Zipf's law
   * @param burstiness coefficient of variation of the times between two requests of one model,
   *     gamma distributed; 1 for Poisson
   * @param sizeSigma of the logarithm of the sizes, which are lognormal around 100 MB; 0 for equal
   * @param swing share by which the rate of a model changes around its mean, with a phase of its
   *     own, four times within the trace; 0 for steady
   */
  public record Shape(
      int models,
      int requests,
      double exponent,
      double burstiness,
      double sizeSigma,
      double swing) {

    /** Makes the trace; the same seed makes the same one. */
    public ResidencyTrace generate(String name, long seed) {
      Random random = new Random(seed);
      double all = 0;
      for (int m = 0; m < models; m++) {
        all += weight(m);
      }
      record Arrival(double time, int model) {}
      List<Arrival> arrivals = new ArrayList<>();
      List<Long> bytes = new ArrayList<>();
      for (int m = 0; m < models; m++) {
        bytes.add(Math.max(1, (long) (100e6 * Math.exp(sizeSigma * random.nextGaussian()))));
        double rate = requests * weight(m) / all; // per trace, whose length is 1
        double phase = random.nextDouble();
        double time = gap(rate, random) * random.nextDouble();
        while (time < 1) {
          double thinned = 1 + swing * Math.sin(2 * Math.PI * (4 * time + phase));
          if (random.nextDouble() * (1 + swing) < thinned) {
            arrivals.add(new Arrival(time, m));
          }
          time += gap(rate, random);
        }
      }
      arrivals.sort(Comparator.comparingDouble(Arrival::time));
      return new ResidencyTrace(name, bytes, arrivals.stream().map(Arrival::model).toList());
    }

    private double weight(int model) {
      return Math.pow(model + 1, -exponent);
    }

    private double gap(double rate, Random random) {
      return burstiness == 1
          ? -Math.log1p(-random.nextDouble()) / rate
          : gamma(1 / (burstiness * burstiness), random) * burstiness * burstiness / rate;
    }

    /** Marsaglia and Tsang, ACM TOMS 26 (2000), with their boost for shapes below 1. */
    private static double gamma(double shape, Random random) {
      if (shape < 1) {
        return gamma(shape + 1, random) * Math.pow(1 - random.nextDouble(), 1 / shape);
      }
      double d = shape - 1.0 / 3;
      double c = 1 / Math.sqrt(9 * d);
      while (true) {
        double x = random.nextGaussian();
        double v = Math.pow(1 + c * x, 3);
        if (v > 0
            && Math.log(1 - random.nextDouble()) < 0.5 * x * x + d - d * v + d * Math.log(v)) {
          return d * v;
        }
      }
    }
  }

  /** Returns a budget for so many models of mean size, at least the largest one. */
  public long budgetBytes(int meanModels) {
    long sum = bytes.stream().mapToLong(Long::longValue).sum();
    long largest = bytes.stream().mapToLong(Long::longValue).max().orElse(1);
    return Math.max(largest, sum / bytes.size() * meanModels);
  }
}
