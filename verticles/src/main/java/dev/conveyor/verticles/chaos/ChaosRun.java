package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Fault.Place;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * One run: a server of its own with three models under load, two of them isolated; each fault alone
 * in one of them, then faults at random in the one and then in an isolated one.
 *
 * <p>Not thread-safe: owned by the command. Blocks.
 */
public final class ChaosRun {

  private static final String WITHIN = "within";
  private static final List<String> ISOLATED = List.of("isolated", "apart");
  private static final List<String> MODELS = List.of(WITHIN, ISOLATED.get(0), ISOLATED.get(1));

  /** Part of what the server can do, with this client, that is kept up. */
  private static final double LOAD = 0.7;

  private static final double MOST_PER_SECOND = 3000;
  private static final int CALIBRATION_CLIENTS = 8;

  /** How long to wait for an answer until it counts as lost, usually. */
  public static final Duration PATIENCE = Duration.ofSeconds(20);

  private static final Duration LONGEST_RECOVERY = Duration.ofSeconds(30);
  private static final Duration SHORTEST_MIX = Duration.ofSeconds(2);
  private static final int MIX_PAUSE_MS = 500;

  /** What a long run has left is for the mix. */
  private static final long LONGEST_WINDOW_MS = 3_000;

  private static final long AFTER_MS = 100;

  private final List<Fault> faults;
  private final Duration duration;
  private final long seed;
  private final Duration patience;

  /**
   * Plans a run.
   *
   * @param faults each is injected alone once, then at random
   * @param duration of the whole, about; a run takes longer if faults do
   * @param seed of the random order
   * @param patience how long to wait for an answer until it counts as lost
   */
  public ChaosRun(List<Fault> faults, Duration duration, long seed, Duration patience) {
    this.patience = patience;
    this.faults = faults;
    this.duration = duration;
    this.seed = seed;
  }

  /** What a run found; {@code exitCode} is that of the server, ended under load. */
  public record Report(double perSecond, List<FaultResult> results, int exitCode) {

    /** Returns true if nothing was wrong or lost and the server ended in order. */
    public boolean holds() {
      return exitCode == 0 && results.stream().allMatch(FaultResult::holds);
    }
  }

  /** Runs; {@code progress} is told each result as it comes. */
  public Report run(Consumer<FaultResult> progress) throws IOException, InterruptedException {
    Path scratch = Files.createTempDirectory("conveyor-chaos");
    try (ChaosServer server = ChaosServer.start(scratch, MODELS, Set.copyOf(ISOLATED), patience)) {
      Traffic traffic = new Traffic(server.httpPort(), patience);
      double perSecond = Math.min(MOST_PER_SECOND, LOAD * calibrate(traffic));
      List<FaultResult> results = new ArrayList<>();
      try (LoadLoop load = LoadLoop.start(traffic, MODELS, WITHIN, perSecond)) {
        TimeUnit.MILLISECONDS.sleep(500);
        inject(
            server,
            traffic,
            load,
            result -> {
              results.add(result);
              progress.accept(result);
            });
      }
      return new Report(perSecond, results, server.terminate());
    } finally {
      delete(scratch);
    }
  }

  private void inject(
      ChaosServer server, Traffic traffic, LoadLoop load, Consumer<FaultResult> results)
      throws IOException, InterruptedException {
    final long endNs = System.nanoTime() + duration.toNanos();
    long windowMs =
        Math.min(LONGEST_WINDOW_MS, Math.max(500, duration.toMillis() / (3L * faults.size() + 6)));
    Injector injector = new Injector(server, traffic);
    int children = 0;
    for (Fault fault : faults) {
      // In turns, so that losses are as rare for each as they should be.
      String victim =
          fault.place() == Place.CHILD ? ISOLATED.get(children++ % ISOLATED.size()) : WITHIN;
      injector.aim(victim);
      load.aim(victim);
      results.accept(one(fault, victim, server, injector, load, windowMs));
    }
    long leftNs = endNs - System.nanoTime();
    if (leftNs > SHORTEST_MIX.toNanos()) {
      List<Fault> within = faults.stream().filter(fault -> fault.place() != Place.CHILD).toList();
      List<Fault> isolated =
          faults.stream().filter(fault -> fault.place() != Place.SERVER).toList();
      mix("mix", WITHIN, within, endNs - leftNs / 2, injector, load, results);
      mix("mix, isolated", ISOLATED.get(0), isolated, endNs, injector, load, results);
    }
  }

  private void mix(
      String label,
      String victim,
      List<Fault> some,
      long endNs,
      Injector injector,
      LoadLoop load,
      Consumer<FaultResult> results)
      throws IOException, InterruptedException {
    if (some.isEmpty()) {
      return;
    }
    injector.aim(victim);
    load.aim(victim);
    Random random = new Random(seed);
    Tally before = load.window(false);
    TimeUnit.MILLISECONDS.sleep(MIX_PAUSE_MS);
    load.settle();
    Tally during = load.window(true);
    while (endNs - System.nanoTime() > 0) {
      injector.inject(some.get(random.nextInt(some.size())), during);
      TimeUnit.MILLISECONDS.sleep(random.nextInt(MIX_PAUSE_MS));
    }
    // After many losses in a row the next instance would be long in coming.
    injector.reload();
    double recoverMs = recover(load, System.nanoTime());
    load.settle();
    results.accept(FaultResult.of(label, before, during, new Tally(), -1, recoverMs));
  }

  private static FaultResult one(
      Fault fault,
      String victim,
      ChaosServer server,
      Injector injector,
      LoadLoop load,
      long windowMs)
      throws IOException, InterruptedException {
    Tally before = load.window(false);
    TimeUnit.MILLISECONDS.sleep(windowMs);
    load.settle();
    double decisions = server.decisions(victim);
    Tally during = load.window(true);
    long startNs = System.nanoTime();
    CompletableFuture<Double> detected =
        fault.isDecided()
            ? CompletableFuture.supplyAsync(() -> detect(server, victim, decisions, startNs))
            : CompletableFuture.completedFuture(-1.0);
    injector.inject(fault, during);
    double recoverMs = recover(load, startNs);
    double detectMs = detected.join();
    TimeUnit.MILLISECONDS.sleep(windowMs);
    load.settle();
    Tally after = load.window(false);
    TimeUnit.MILLISECONDS.sleep(AFTER_MS);
    load.settle();
    return FaultResult.of(fault.label(), before, during, after, detectMs, recoverMs);
  }

  /** Returns how long until a request that is sent after now was answered right. */
  private static double recover(LoadLoop load, long startNs) throws InterruptedException {
    long fromNs = System.nanoTime();
    while (load.lastRightOfVictimNs() - fromNs <= 0) {
      if (System.nanoTime() - fromNs > LONGEST_RECOVERY.toNanos()) {
        return Double.POSITIVE_INFINITY;
      }
      TimeUnit.MILLISECONDS.sleep(1);
    }
    return (System.nanoTime() - startNs) / 1e6;
  }

  private static double detect(ChaosServer server, String victim, double before, long startNs) {
    try {
      while (server.decisions(victim) <= before) {
        if (System.nanoTime() - startNs > LONGEST_RECOVERY.toNanos()) {
          return Double.POSITIVE_INFINITY;
        }
      }
      return (System.nanoTime() - startNs) / 1e6;
    } catch (IOException e) {
      return Double.POSITIVE_INFINITY;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Double.POSITIVE_INFINITY;
    }
  }

  /** Returns how many requests a second a few clients get answered that wait for each answer. */
  private static double calibrate(Traffic traffic) throws InterruptedException {
    long startNs = System.nanoTime();
    long[] answered = new long[CALIBRATION_CLIENTS];
    List<Thread> clients = new ArrayList<>();
    for (int c = 0; c < CALIBRATION_CLIENTS; c++) {
      int client = c;
      Thread thread =
          new Thread(
              () -> {
                float[] row = new float[Traffic.WIDTH];
                while (System.nanoTime() - startNs < TimeUnit.SECONDS.toNanos(2)) {
                  row[0] = ++answered[client];
                  Answer unused =
                      traffic.send(MODELS.get(client % MODELS.size()), row, false).join();
                }
              },
              "chaos-calibration-" + c);
      clients.add(thread);
      thread.start();
    }
    long sum = 0;
    for (int c = 0; c < CALIBRATION_CLIENTS; c++) {
      clients.get(c).join();
      sum += answered[c];
    }
    return sum / ((System.nanoTime() - startNs) / 1e9);
  }

  private static void delete(Path scratch) throws IOException {
    try (Stream<Path> files = Files.walk(scratch)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
