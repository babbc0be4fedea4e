package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.simulation.policy.Policies;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Random machines, models, loads and faults against the production core, under virtual time:
 * devices are lost and come back, slow down, stall; nothing is lost or answered twice, no batch is
 * larger than it may be, and when the faults are over the core serves as before.
 *
 * <p>{@code -Dconveyor.soak.runs=5000} makes it long.
 */
final class SoakTest {

  private static final long SECOND = 1_000_000_000;
  private static final long FAULTS_END = 3 * SECOND;

  /** How many batches may run at once on a device is tried anew every ten seconds. */
  private static final long SETTLED = 14 * SECOND;

  private static final long END = 16 * SECOND;
  private static final int RUNS = Integer.getInteger("conveyor.soak.runs", 25);

  @Test
  void shouldAnswerEveryRequestOnceAndServeAsBeforeWhenFaultsAreOver() {
    soak(Policies.find(Policies.CONVEYOR));
  }

  @Test
  void shouldDoSoWhereTenantsShareTheModelsAndHavePriorities() {
    soak(SharedPolicy::new);
  }

  private static void soak(Function<Scenario, Policy> policy) {
    for (long seed = 1; seed <= RUNS; seed++) {
      Scenario scenario = scenario(new Random(seed), seed);
      double calm = run(scenario, List.of(), policy);
      double after = run(scenario, scenario.faults(), policy);
      assertThat(after)
          .as("in time after the faults, seed %d, without faults %f", seed, calm)
          .isGreaterThan(0.95 * calm);
    }
  }

  /** Returns the part in time of what comes when the faults are over. */
  private static double run(
      Scenario scenario, List<Scenario.Fault> faults, Function<Scenario, Policy> policy) {
    Scenario faulty =
        scenario(
            scenario.devices(),
            scenario.models(),
            scenario.ratePerSecond(),
            scenario.seed(),
            faults);
    Book book = new Book(faulty);
    SimulationResult result =
        new Simulator(faulty, faulty.ratePerSecond(), policy.apply(faulty), book).run();
    assertThat(book.waiting).as("without an answer, %s", faulty.name()).isEmpty();
    assertThat(result.inTime() + result.late() + result.refused() + result.lost())
        .as("answers, %s", faulty.name())
        .isEqualTo(result.arrived());
    return (double) book.settledInTime / book.settled;
  }

  private static Scenario scenario(Random random, long seed) {
    int devices = 1 + random.nextInt(4);
    List<Scenario.Device> machines = new ArrayList<>();
    for (int i = 0; i < devices; i++) {
      machines.add(new Scenario.Device("d" + i, 1 + random.nextInt(2), 1));
    }
    int all = 1 + random.nextInt(6);
    List<Scenario.Model> models = new ArrayList<>();
    for (int i = 0; i < all; i++) {
      double alphaNs = 20_000 + random.nextInt(400_000);
      double betaNs = 200_000 + random.nextInt(2_000_000);
      int largest = 1 + random.nextInt(32);
      CostCurve cost = CostCurve.linear(alphaNs, betaNs, largest);
      models.add(
          new Scenario.Model(
              "m" + i,
              20_000_000 + 4 * cost.ns(largest) * all,
              1 + random.nextInt(3),
              1 + random.nextInt(5),
              cost,
              0.02,
              IntStream.range(0, devices).boxed().toList()));
    }
    Scenario quiet = scenario(machines, models, 1, seed, List.of());
    double rate = (0.1 + 0.3 * random.nextDouble()) * quiet.boundPerSecond();
    return scenario(machines, models, Math.min(rate, 1200), seed, faults(random, devices));
  }

  private static Scenario scenario(
      List<Scenario.Device> devices,
      List<Scenario.Model> models,
      double rate,
      long seed,
      List<Scenario.Fault> faults) {
    return new Scenario(
        "soak " + seed,
        "",
        seed,
        END,
        0,
        rate,
        devices,
        models,
        new Scenario.Arrivals.HyperExponential(2),
        faults);
  }

  /** One after the other on each device, so that each has ended before the next begins. */
  private static List<Scenario.Fault> faults(Random random, int devices) {
    List<Scenario.Fault> faults = new ArrayList<>();
    Scenario.Fault.Kind[] kinds = Scenario.Fault.Kind.values();
    for (int device = 0; device < devices; device++) {
      long atNs = (long) (random.nextDouble() * SECOND);
      while (true) {
        long forNs = 1 + (long) (random.nextDouble() * SECOND / 2);
        if (atNs + forNs >= FAULTS_END) {
          break;
        }
        Scenario.Fault.Kind kind = kinds[random.nextInt(kinds.length)];
        double factor = kind == Scenario.Fault.Kind.SLOW_DOWN ? 1.5 + 8 * random.nextDouble() : 1;
        faults.add(new Scenario.Fault(kind, atNs, forNs, device, factor));
        atNs += forNs + 1 + (long) (random.nextDouble() * SECOND / 4);
      }
    }
    return faults;
  }

  /** Who waits for an answer, and what became of those that came after the faults. */
  private static final class Book implements SimulationObserver {
    private final Scenario scenario;
    private final Set<InferenceRequest> waiting =
        Collections.newSetFromMap(new IdentityHashMap<>());
    private long settled;
    private long settledInTime;

    Book(Scenario scenario) {
      this.scenario = scenario;
    }

    @Override
    public void arrived(int model, InferenceRequest request, long nowNs) {
      assertThat(waiting.add(request)).isTrue();
    }

    @Override
    public void started(Run run) {
      assertThat(run.requests())
          .hasSizeBetween(1, scenario.models().get(run.model()).cost().maxBatchSize());
    }

    @Override
    public void answered(int model, InferenceRequest request, Answer answer, long nowNs) {
      assertThat(waiting.remove(request)).as("answered once").isTrue();
      if (request.arrivalNs() >= SETTLED) {
        settled++;
        settledInTime += answer == Answer.IN_TIME ? 1 : 0;
      }
    }
  }
}
