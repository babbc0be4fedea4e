package dev.conveyor.verticles.bench.suite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Where the rows of a suite work: test data, a scratch directory, and the two cores on which
 * servers, light clients and in-process runs take their turns, so that figures of larger machines
 * compare.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
public final class Lab implements AutoCloseable {

  /** Cores that measured processes are kept to. */
  static final int CORES = 2;

  private final Path data;
  private final Path scratch;
  private final Duration warmup;
  private final Duration duration;
  private final List<String> pin;
  private int servers;

  private Lab(Path data, Path scratch, Duration warmup, Duration duration, List<String> pin) {
    this.data = data;
    this.scratch = scratch;
    this.warmup = warmup;
    this.duration = duration;
    this.pin = pin;
  }

  /** Opens a lab on this test data, or on the usual place for it if null. */
  static Lab open(@Nullable Path data, Duration warmup, Duration duration) throws IOException {
    boolean pins =
        Runtime.getRuntime().availableProcessors() > CORES && Programs.isInstalled("taskset");
    List<String> pin = pins ? List.of("taskset", "-c", "0-" + (CORES - 1)) : List.of();
    return new Lab(
        data == null ? usualData() : data,
        Files.createTempDirectory("conveyor-bench"),
        warmup,
        duration,
        pin);
  }

  Duration warmup() {
    return warmup;
  }

  Duration duration() {
    return duration;
  }

  Path scratch() {
    return scratch;
  }

  /** Returns the cores that an in-process run may keep busy. */
  int cores() {
    return Math.min(CORES, Runtime.getRuntime().availableProcessors());
  }

  /** Returns {@code command}, kept to the lab's cores where the machine has more. */
  List<String> pinned(List<String> command) {
    List<String> all = new ArrayList<>(pin);
    all.addAll(command);
    return all;
  }

  /** Returns a model file of the test data. */
  Path modelFile(String name) {
    Path file = data.resolve("models").resolve(name);
    if (!Files.isReadable(file)) {
      throw new CannotMeasureException(
          "%s is not there; name the test data with --data or CONVEYOR_TESTDATA".formatted(file));
    }
    return file;
  }

  /** Creates an empty model repository. */
  TestRepository repository() throws IOException {
    return new TestRepository(Files.createTempDirectory(scratch, "models"));
  }

  /** Starts a server on a repository and waits until it is ready. */
  ServerProcess startServer(TestRepository repository, List<String> jvmOptions)
      throws IOException, InterruptedException {
    return startServer(repository, jvmOptions, Map.of());
  }

  /** Starts a server with these variables in its environment, and waits until it is ready. */
  ServerProcess startServer(
      TestRepository repository, List<String> jvmOptions, Map<String, String> environment)
      throws IOException, InterruptedException {
    Path work = Files.createDirectory(scratch.resolve("server-" + servers++));
    return ServerProcess.start(this, repository.root(), work, jvmOptions, environment);
  }

  /** Returns a command that runs a main class on this JVM's class path with its options. */
  List<String> java(List<String> jvmOptions, String mainClass, List<String> arguments) {
    return pinned(javaOnAllCores(jvmOptions, mainClass, arguments));
  }

  /** Returns the same command, kept to no cores. */
  List<String> javaOnAllCores(List<String> jvmOptions, String mainClass, List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      String lower = option.toLowerCase(Locale.ROOT);
      if (!lower.startsWith("-javaagent") && !lower.startsWith("-agent")) {
        command.add(option);
      }
    }
    command.addAll(jvmOptions);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass));
    command.addAll(arguments);
    return command;
  }

  @Override
  public void close() {
    try (Stream<Path> files = Files.walk(scratch)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Where example models may be, which are not part of the project: nothing has to be there. */
  private static Path usualData() {
    String property = System.getProperty("conveyor.testdata");
    String place = property == null ? System.getenv("CONVEYOR_TESTDATA") : property;
    return Path.of(place == null ? "../shared/data" : place);
  }
}
