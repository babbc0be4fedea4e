package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.load.Lane;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Whether loading, using and unloading a model gives back what it took.
 *
 * <p>Two views. The bytes that native code, and Java code past its heap, allocated and did not free
 * must not grow by one: exact books ({@link NativeBooks}) plus what the JVM says it gave to Java
 * code. Before each look the garbage is collected, because native objects of Java objects nobody
 * holds go with those. The memory of the process beyond what the JVM committed for itself also sees
 * what nobody counts. It wanders with what the JVM touches, so the least of the last three rounds
 * is held against the least of three from the settled one, and may differ by 16 MiB: a leak of the
 * model's weights is 28 MiB in these six rounds. The Java heap is touched whole at the start, so
 * that it does not look like growth.
 */
final class NativeMemoryRow {

  private static final String FILE = "squeezenet11_random.onnx";
  private static final String MODEL = "squeezenet11";
  private static final int ROUNDS = 10;
  private static final int SETTLED_ROUND = 2;
  private static final int COMPARED_ROUNDS = 3;
  private static final int REQUESTS = 1_000;
  private static final int CONCURRENCY = 4;
  private static final Duration ROUND_LIMIT = Duration.ofMinutes(5);
  private static final double MIB = 1 << 20;
  private static final double WANDER_BYTES = 16 * MIB;

  /** The JVM starts and ends threads of its own as it sees fit otherwise, which C counts. */
  private static final List<String> STEADY_JVM =
      List.of(
          "-Xms512m",
          "-Xmx512m",
          "-XX:+AlwaysPreTouch",
          "-XX:-UseDynamicNumberOfCompilerThreads",
          "-XX:-UseDynamicNumberOfGCThreads",
          "-XX:NativeMemoryTracking=summary");

  /** Also what the C library keeps of the JIT compiler's scratch memory goes back to the system. */
  private static final List<String> TIDY = List.of("GC.run", "System.trim_native_heap");

  /** Looks until two in a row agree: what the collector freed goes on a thread of its own. */
  private static final int LOOKS = 10;

  private static final Pattern COMMITTED = Pattern.compile("^Total: .*committed=(\\d+)");
  private static final Pattern CATEGORY = Pattern.compile("^-\\s+(\\S[^(]*?) \\(reserved=");
  private static final Pattern MALLOC = Pattern.compile("\\(malloc=(\\d+)");

  private final Lab lab;

  NativeMemoryRow(Lab lab) {
    this.lab = lab;
  }

  /** Memory after a round, in bytes: as counted, by native code and by Java; and as resident. */
  record Reading(NativeBooks.Page books, long javaBytes, long residentBytes, long jvmBytes) {

    double counted() {
      return books.bytes() + javaBytes;
    }

    double beyondJvm() {
      return residentBytes - jvmBytes;
    }
  }

  SuiteRow row() {
    return new SuiteRow(
        "native memory: growth after round 2 of ten rounds of load, 1,000 requests, unload",
        Target.atMost(0, "bytes"),
        this::measure);
  }

  private Measured measure() throws Exception {
    NativeBooks books =
        NativeBooks.build(Path.of(System.getProperty("conveyor.home", ".")), lab.scratch());
    TestRepository repository = lab.repository();
    repository.add(MODEL, lab.modelFile(FILE), TestRepository.config(8, lab.cores(), 1));
    try (ServerProcess server = lab.startServer(repository, STEADY_JVM, books.environment());
        HttpLoad load = HttpLoad.on(lab, server)) {
      server.repository(MODEL, "unload");
      List<Reading> readings = new ArrayList<>();
      for (int round = 0; round < ROUNDS; round++) {
        server.repository(MODEL, "load");
        Lane lane = load.driver().lane(MODEL, List.of(load.payload(MODEL)));
        load.driver().send(lane, REQUESTS, CONCURRENCY, ROUND_LIMIT);
        server.repository(MODEL, "unload");
        readings.add(read(server, books));
      }
      return judge(readings);
    }
  }

  private Reading read(ServerProcess server, NativeBooks books) throws Exception {
    Reading last = look(server, books);
    for (int look = 1; look < LOOKS; look++) {
      Reading next = look(server, books);
      if (next.counted() == last.counted()) {
        return next;
      }
      last = next;
    }
    return last;
  }

  private Reading look(ServerProcess server, NativeBooks books) throws Exception {
    for (String command : TIDY) {
      String unused = server.jcmd(lab.scratch(), command);
    }
    NativeBooks.Page page = books.read();
    String report = server.jcmd(lab.scratch(), "VM.native_memory", "summary", "scale=b");
    long resident =
        server
            .residentBytes()
            .orElseThrow(() -> new CannotMeasureException("VmRSS cannot be read from /proc"));
    return new Reading(page, javaBytes(report), resident, committedBytes(report));
  }

  /** Returns what Java code asked of the JVM past the heap, by its native memory tracking. */
  static long javaBytes(String report) {
    boolean other = false;
    for (String line : report.split("\n", -1)) {
      Matcher title = CATEGORY.matcher(line);
      if (title.find()) {
        other = title.group(1).equals("Other");
      }
      Matcher malloc = MALLOC.matcher(line);
      if (other && malloc.find()) {
        return Long.parseLong(malloc.group(1));
      }
    }
    return 0;
  }

  /** Returns what the JVM committed in all, the Java heap included, by its own tracking. */
  static long committedBytes(String report) {
    for (String line : report.split("\n", -1)) {
      Matcher total = COMMITTED.matcher(line);
      if (total.find()) {
        return Long.parseLong(total.group(1));
      }
    }
    throw new CannotMeasureException("the JVM does not tell its memory: " + report.strip());
  }

  /** Turns readings into growth after the settled round, beyond what may wander. */
  static Measured judge(List<Reading> readings) {
    Reading settled = readings.get(SETTLED_ROUND - 1);
    List<Reading> later = readings.subList(SETTLED_ROUND, readings.size());
    Reading most = settled;
    for (Reading reading : later) {
      most = reading.counted() > most.counted() ? reading : most;
    }
    double resident =
        leastBeyondJvm(readings.subList(readings.size() - COMPARED_ROUNDS, readings.size()))
            - leastBeyondJvm(
                readings.subList(SETTLED_ROUND - 1, SETTLED_ROUND - 1 + COMPARED_ROUNDS));
    double counted = most.counted() - settled.counted();
    List<String> grown = counted > 0 ? most.books().grownSince(settled.books()) : List.of();
    return new Measured(
        counted + (resident > WANDER_BYTES ? resident : 0),
        String.format(
            Locale.ROOT,
            "bytes that native code held after each round: %s; that Java code held past its heap:"
                + " %s; growth %.0f%s; memory of the process, MiB: %s, of which the JVM committed"
                + " %s, so the rest grew by %.1f MiB, of which up to %.0f count as noise",
            each(readings, "%.0f", reading -> reading.books().bytes()),
            each(readings, "%.0f", Reading::javaBytes),
            counted,
            grown.isEmpty() ? "" : " (" + String.join("; ", grown) + ")",
            each(readings, "%.1f", reading -> reading.residentBytes() / MIB),
            each(readings, "%.1f", reading -> reading.jvmBytes() / MIB),
            resident / MIB,
            WANDER_BYTES / MIB));
  }

  private static double leastBeyondJvm(List<Reading> readings) {
    return readings.stream().mapToDouble(Reading::beyondJvm).min().orElseThrow();
  }

  private static String each(
      List<Reading> readings, String format, ToDoubleFunction<Reading> value) {
    return readings.stream()
        .map(reading -> String.format(Locale.ROOT, format, value.applyAsDouble(reading)))
        .collect(Collectors.joining(" "));
  }
}
