package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Fault.Place;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One run: a server of its own with three models under load, two of them isolated; each fault alone
 * in one of them, then faults at random in two of them at the same time. Faults that need a server
 * that is started in another way come last, on such a one.
 *
 * <p>Not thread-safe: owned by the command. Blocks.
 */
public final class ChaosRun {

  static final String WITHIN = "within";
  static final List<String> ISOLATED = List.of("isolated", "apart");
  static final List<String> MODELS = List.of(WITHIN, ISOLATED.get(0), ISOLATED.get(1));

  /** Part of what the server can do, with this client, that is kept up. */
  private static final double LOAD = 0.7;

  private static final double MOST_PER_SECOND = 3000;
  private static final long MOST_CALIBRATION_S = 15;

  /** Labels of the random mixes; the second has nothing that all models share. */
  static final String MIX = "mix";

  static final String MIX_OF_MODELS = "mix, of models";

  private final ChaosPlan plan;
  private final List<FaultResult> results = new ArrayList<>();
  private final Map<String, String> impossible = new TreeMap<>();
  private double perSecond;
  private int exitCode;

  public ChaosRun(ChaosPlan plan) {
    this.plan = plan;
  }

  /**
   * What a run found.
   *
   * @param exitCode of the servers, ended under load; if there were two, one that is not 0
   * @param impossible faults that cannot be made on this machine, and why
   */
  public record Report(
      double perSecond, List<FaultResult> results, int exitCode, Map<String, String> impossible) {

    public Report {
      results = List.copyOf(results);
      impossible = Map.copyOf(impossible);
    }

    /** Returns true if nothing was wrong or lost and the server ended in order. */
    public boolean holds() {
      return exitCode == 0 && results.stream().allMatch(FaultResult::holds);
    }
  }

  /** Returns true if what was injected concerned one model only, and nothing that all share. */
  public static boolean isOfOneModel(FaultResult result) {
    return Fault.of(result.fault())
        .map(fault -> fault.place() == Place.MODEL || fault.place() == Place.CHILD)
        .orElse(result.fault().equals(MIX_OF_MODELS));
  }

  /** Runs, once; {@code progress} is told each result as it comes. */
  public Report run(Consumer<FaultResult> progress) throws IOException, InterruptedException {
    Path scratch = Files.createTempDirectory("conveyor-chaos");
    Consumer<FaultResult> add =
        result -> {
          results.add(result);
          progress.accept(result);
        };
    try {
      List<Fault> clocks = placed(Place.CLOCK, true);
      List<Fault> usual = placed(Place.CLOCK, false);
      if (!usual.isEmpty()) {
        on(Files.createDirectory(scratch.resolve("usual")), usual, null, add);
      }
      if (!clocks.isEmpty()) {
        Path place = Files.createDirectory(scratch.resolve("clock"));
        Optional<FakeClock> clock = FakeClock.in(place);
        if (clock.isPresent()) {
          on(place, clocks, clock.get(), add);
        } else {
          clocks.forEach(
              fault -> impossible.put(fault.label(), "libfaketime is not installed here"));
        }
      }
      return new Report(perSecond, results, exitCode, impossible);
    } finally {
      delete(scratch);
    }
  }

  private List<Fault> placed(Place place, boolean there) {
    return plan.faults().stream().filter(fault -> (fault.place() == place) == there).toList();
  }

  private void on(
      Path scratch, List<Fault> faults, @Nullable FakeClock clock, Consumer<FaultResult> progress)
      throws IOException, InterruptedException {
    try (ChaosServer server =
            ChaosServer.start(scratch, MODELS, Set.copyOf(ISOLATED), plan.patience(), clock);
        Traffic traffic = new Traffic(server.httpPort(), plan.patience())) {
      double rate =
          Math.min(
              MOST_PER_SECOND, LOAD * Calibration.perSecond(traffic, MODELS, calibrationSeconds()));
      perSecond = perSecond == 0 ? rate : perSecond;
      Outages outages = new Outages();
      try (LoadLoop load = LoadLoop.start(traffic, MODELS, outages, rate)) {
        WarmUp.await(load, plan.warmUpMs());
        Supplier<Injector> injectors = () -> new Injector(server, traffic, outages, clock);
        new Session(plan, server, injectors.get(), load, outages).alone(faults, progress);
        long mixMs = plan.mix().toMillis();
        if (clock == null && mixMs > 0) {
          progress.accept(mix(server, load, outages, injectors).run(MIX, faults, mixMs / 2));
          progress.accept(
              mix(server, load, outages, injectors)
                  .run(MIX_OF_MODELS, ofModels(faults), mixMs / 2));
        }
      }
      int exit = server.terminate();
      exitCode = exitCode == 0 ? exit : exitCode;
    }
  }

  private Mix mix(
      ChaosServer server, LoadLoop load, Outages outages, Supplier<Injector> injectors) {
    return new Mix(plan, server, load, outages, injectors);
  }

  private static List<Fault> ofModels(List<Fault> faults) {
    return faults.stream().filter(fault -> fault.place() != Place.SERVER).toList();
  }

  /** A short run does without a server that is warm. */
  private long calibrationSeconds() {
    return Math.min(MOST_CALIBRATION_S, Math.max(1, plan.warmUpMs() / 1000));
  }

  static void delete(Path scratch) throws IOException {
    try (Stream<Path> files = Files.walk(scratch)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
