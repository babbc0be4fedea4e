package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.load.Lane;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Whether loading, using and unloading a model gives back what it took.
 *
 * <p>Two views. The bytes that native code allocated and did not free, by the C library's books,
 * without what the JVM allocated for itself, by its native memory tracking, must not grow. The
 * memory of the process, which also sees what nobody counts, may wander by two MiB a round: a leak
 * of the model's weights is 4.7 MiB. The Java heap is touched whole at the start, so that it does
 * not look like growth.
 */
final class NativeMemoryRow {

  static final String METRIC = "conveyor_native_bytes";

  private static final String FILE = "squeezenet11_random.onnx";
  private static final String MODEL = "squeezenet11";
  private static final int ROUNDS = 10;
  private static final int SETTLED_ROUND = 2;
  private static final int REQUESTS = 1_000;
  private static final int CONCURRENCY = 4;
  private static final Duration ROUND_LIMIT = Duration.ofMinutes(5);
  private static final double MIB = 1 << 20;
  private static final double WANDER_BYTES = 16 * MIB;
  private static final List<String> FIXED_HEAP =
      List.of("-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch", "-XX:NativeMemoryTracking=summary");

  private static final int LOOKS = 5;
  private static final Pattern CATEGORY = Pattern.compile("^-\\s+(\\S[^(]*?) \\(reserved=");
  private static final Pattern MALLOC = Pattern.compile("\\(malloc=(\\d+)(?: #(\\d+))?");
  private static final Pattern OVERHEAD = Pattern.compile("tracking overhead=(\\d+)");

  /** Header and average rounding of the C library per block, which the JVM does not count. */
  private static final int BLOCK_OVERHEAD_BYTES = 12;

  private final Lab lab;

  NativeMemoryRow(Lab lab) {
    this.lab = lab;
  }

  /** Memory after a round; the counted bytes are empty if the server does not publish them. */
  record Reading(OptionalDouble countedBytes, double residentBytes) {}

  SuiteRow row() {
    return new SuiteRow(
        "native memory: growth after round 2 of ten rounds of load, 1,000 requests, unload",
        Target.atMost(0, "bytes"),
        this::measure);
  }

  private Measured measure() throws Exception {
    TestRepository repository = lab.repository();
    repository.add(MODEL, lab.modelFile(FILE), TestRepository.config(8, lab.cores(), 1));
    try (ServerProcess server = lab.startServer(repository, FIXED_HEAP);
        HttpLoad load = HttpLoad.on(lab, server)) {
      server.repository(MODEL, "unload");
      List<Reading> readings = new ArrayList<>();
      for (int round = 0; round < ROUNDS; round++) {
        server.repository(MODEL, "load");
        Lane lane = load.driver().lane(MODEL, List.of(load.payload(MODEL)));
        load.driver().send(lane, REQUESTS, CONCURRENCY, ROUND_LIMIT);
        server.repository(MODEL, "unload");
        readings.add(
            new Reading(
                nativeBytes(server),
                server
                    .residentBytes()
                    .orElseThrow(
                        () -> new CannotMeasureException("VmRSS cannot be read from /proc"))));
      }
      return judge(readings);
    }
  }

  /**
   * Returns what native code holds beyond the JVM itself; the smallest of a few looks, because the
   * two books are not read at the same instant.
   */
  private OptionalDouble nativeBytes(ServerProcess server) throws Exception {
    OptionalDouble least = OptionalDouble.empty();
    for (int look = 0; look < LOOKS; look++) {
      OptionalDouble counted = metric(server.metrics(), METRIC);
      if (counted.isEmpty()) {
        return counted;
      }
      double bytes = counted.getAsDouble() - jvmBytes(server.nativeMemory(lab.scratch()));
      least = OptionalDouble.of(Math.min(bytes, least.orElse(bytes)));
    }
    return least;
  }

  /**
   * Adds up what the JVM allocated for itself with malloc, as its native memory tracking tells;
   * "Other" is memory that Java code asked for.
   */
  static long jvmBytes(String report) {
    long bytes = 0;
    String category = "";
    for (String line : report.split("\n", -1)) {
      Matcher title = CATEGORY.matcher(line);
      if (title.find()) {
        category = title.group(1);
      }
      Matcher malloc = MALLOC.matcher(line);
      if (malloc.find() && !category.isEmpty() && !category.equals("Other")) {
        String blocks = malloc.group(2);
        bytes += Long.parseLong(malloc.group(1));
        bytes += blocks == null ? 0 : Long.parseLong(blocks) * BLOCK_OVERHEAD_BYTES;
      }
      Matcher overhead = OVERHEAD.matcher(line);
      if (overhead.find()) {
        bytes += Long.parseLong(overhead.group(1));
      }
    }
    return bytes;
  }

  /** Turns readings into growth after the settled round, beyond what may wander. */
  static Measured judge(List<Reading> readings) {
    Reading settled = readings.get(SETTLED_ROUND - 1);
    boolean counts = settled.countedBytes().isPresent();
    double counted = 0;
    double resident = 0;
    StringBuilder countedRounds = new StringBuilder();
    StringBuilder residentRounds = new StringBuilder();
    for (int i = 0; i < readings.size(); i++) {
      Reading reading = readings.get(i);
      double now = reading.countedBytes().orElse(0);
      countedRounds.append(String.format(Locale.ROOT, " %.3f", now / MIB));
      residentRounds.append(String.format(Locale.ROOT, " %.1f", reading.residentBytes() / MIB));
      if (i >= SETTLED_ROUND) {
        counted = Math.max(counted, now - settled.countedBytes().orElse(0));
        resident = Math.max(resident, reading.residentBytes() - settled.residentBytes());
      }
    }
    return new Measured(
        counted + (resident > WANDER_BYTES ? resident : 0),
        String.format(
            Locale.ROOT,
            "native bytes in use after each round, MiB:%s, which grew by at most %.3f MiB; memory of"
                + " the process, MiB:%s, which grew by at most %.1f MiB, of which up to %.0f count"
                + " as noise",
            counts ? countedRounds : " " + METRIC + " is not published",
            counted / MIB,
            residentRounds,
            resident / MIB,
            WANDER_BYTES / MIB));
  }

  /** Adds up the samples of a metric on a Prometheus page; empty if there are none. */
  static OptionalDouble metric(String page, String name) {
    double sum = 0;
    boolean found = false;
    for (String line : page.split("\n", -1)) {
      boolean sample =
          line.startsWith(name)
              && line.length() > name.length()
              && "{ ".indexOf(line.charAt(name.length())) >= 0;
      if (sample) {
        int valueAt = line.indexOf('}') < 0 ? name.length() : line.lastIndexOf('}') + 1;
        sum += Double.parseDouble(line.substring(valueAt).strip().split(" ", -1)[0]);
        found = true;
      }
    }
    return found ? OptionalDouble.of(sum) : OptionalDouble.empty();
  }
}
