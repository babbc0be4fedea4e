package dev.conveyor.models.process;

import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.memory.cuda.CudaLibraries;
import dev.conveyor.memory.cuda.Gpus;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The command line of a worker: this JVM's class path, small and quick to start, under its limits.
 * Stateless.
 *
 * <p>Limits are set by a shell that becomes the worker, so that none of it runs without them. The
 * shell also ignores the signals that ask a process to end, and so does what it becomes: a terminal
 * sends SIGINT to the whole foreground group, and service managers send SIGTERM to every process of
 * a service, but the server still needs its workers for the requests that it has taken. What ends a
 * worker is the end of its standard input, or SIGKILL.
 */
final class WorkerCommand {

  /**
   * Of a worker until it is ready: to start takes a second of a core, while others serve. Not the
   * lowest, so that it gets somewhere on a machine that is busy throughout.
   */
  static final int STARTING_NICENESS = 10;

  private static final int KIB = 1024;
  private static final long LEAST_HEAP_BYTES = 256L << 20;
  private static final long MOST_HEAP_BYTES = 4L << 30;

  /** What a worker is started with as this JVM was. */
  private static final List<String> INHERITED =
      List.of(
          "-XX:SharedArchiveFile=",
          "-Xlog:cds",
          "-Dorg.bytedeco.",
          "-Djava.io.tmpdir=",
          "--enable-native-access",
          "--sun-misc-unsafe-memory-access");

  private static final List<String> SMALL_AND_QUICK =
      List.of(
          "-XX:+UseSerialGC",
          "-Xms8m",
          // It does little but call native code: what takes long to compile never pays.
          "-XX:TieredStopAtLevel=1",
          "-XX:ReservedCodeCacheSize=24m",
          "-XX:-UsePerfData",
          "-XX:-CreateCoredumpOnCrash");

  private WorkerCommand() {}

  static ProcessBuilder of(
      String mainClass, WorkerSpec spec, Path socket, Path page, Path errors, String owner) {
    ProcessLimits limits = spec.limits();
    List<String> command = new ArrayList<>();
    shell(limits, command);
    if (ThreadPriority.canRaise()) {
      command.addAll(List.of("nice", "-n", Integer.toString(STARTING_NICENESS)));
    }
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(SMALL_AND_QUICK);
    command.add("-Xmx" + heapBytes(limits.memoryBytes(), machineBytes()));
    command.add("-XX:ErrorFile=" + errors);
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (INHERITED.stream().anyMatch(option::startsWith)) {
        command.add(option);
      }
    }
    String cuda = System.getProperty(CudaLibraries.PATH_PROPERTY);
    if (cuda != null) {
      command.add("-D" + CudaLibraries.PATH_PROPERTY + "=" + cuda);
    }
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(mainClass);
    // The owner last, where people look for it in a list of processes.
    command.addAll(
        List.of(
            socket.toString(),
            page.toString(),
            spec.backend().getName(),
            Integer.toString(spec.lanes()),
            owner));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put(Gpus.VISIBLE, limits.visibleDevice());
    return builder;
  }

  /**
   * Returns how large the heap of a worker may become. Outputs are on it before they are in the
   * shared memory, so it bounds the outputs of a batch; what is not needed is not taken.
   *
   * @param limitBytes of all of the worker's memory; 0 for none
   */
  static long heapBytes(long limitBytes, long machineBytes) {
    long most = limitBytes > 0 ? limitBytes / 2 : Math.min(MOST_HEAP_BYTES, machineBytes / 8);
    return Math.max(LEAST_HEAP_BYTES, most);
  }

  /** Returns the memory of the machine, or of the container if that has less. */
  private static long machineBytes() {
    @Nullable Object bean = ManagementFactory.getOperatingSystemMXBean();
    return bean instanceof com.sun.management.OperatingSystemMXBean os
        ? os.getTotalMemorySize()
        : Runtime.getRuntime().maxMemory();
  }

  private static void shell(ProcessLimits limits, List<String> command) {
    StringBuilder shell = new StringBuilder("trap '' INT TERM HUP && ");
    if (limits.openFiles() > 0) {
      shell.append("ulimit -n ").append(limits.openFiles()).append(" && ");
    }
    if (limits.memoryBytes() > 0) {
      // Private memory; an address space limit would count what a JVM only reserves.
      shell.append("ulimit -d ").append(limits.memoryBytes() / KIB).append(" && ");
    }
    command.addAll(List.of("/bin/sh", "-c", shell + "exec \"$@\"", "worker"));
    if (!limits.cpuSet().isEmpty()) {
      command.addAll(List.of("taskset", "-c", limits.cpuSet()));
    }
  }
}
