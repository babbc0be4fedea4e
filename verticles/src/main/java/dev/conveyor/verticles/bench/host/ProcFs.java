package dev.conveyor.verticles.bench.host;

import dev.conveyor.verticles.bench.load.CpuClock;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;

/** Reads {@code /proc}. Thread-safe; the root is a parameter so that tests can make their own. */
public final class ProcFs {

  /** Ticks in {@code stat} are USER_HZ, which is 100 on every Linux that Java runs on. */
  private static final double TICKS_PER_SECOND = 100;

  private static final String LISTENING = "0A";

  private final Path root;

  public ProcFs(Path root) {
    this.root = root;
  }

  /** Returns the system's own. */
  public static ProcFs system() {
    return new ProcFs(Path.of("/proc"));
  }

  /** Returns the CPU time of this process. */
  public static CpuClock ownCpu() {
    return cpuOf(ProcessHandle.current().pid());
  }

  /** Returns the CPU time of a process of this machine. */
  public static CpuClock cpuOf(long pid) {
    ProcFs proc = system();
    return () -> proc.cpuSeconds(pid);
  }

  /** Returns the CPU time of the whole machine, with what its host took from it. */
  public static CpuClock machineCpu() {
    return system()::busySeconds;
  }

  /**
   * Returns the time that the processors were not idle so far, in seconds, all of them together.
   */
  public OptionalDouble busySeconds() {
    try {
      String[] fields = Files.readAllLines(root.resolve("stat")).get(0).trim().split("\\s+", -1);
      long ticks = 0;
      // user, nice, system, idle, iowait, irq, softirq, steal; guests are part of user.
      for (int i = 1; i <= 8; i++) {
        ticks += i == 4 || i == 5 ? 0 : Long.parseLong(fields[i]);
      }
      return OptionalDouble.of(ticks / TICKS_PER_SECOND);
    } catch (IOException | RuntimeException e) {
      return OptionalDouble.empty();
    }
  }

  /** Returns the user and system time of a process so far, in seconds, in steps of 10 ms. */
  public OptionalDouble cpuSeconds(long pid) {
    try {
      String stat = Files.readString(process(pid).resolve("stat"));
      // The command name, in parentheses, may hold spaces and parentheses itself.
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      long ticks = Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
      return OptionalDouble.of(ticks / TICKS_PER_SECOND);
    } catch (IOException | RuntimeException e) {
      return OptionalDouble.empty();
    }
  }

  /**
   * Returns the time on a core of all threads of a process that the system knows by this name, in
   * seconds; empty if there is none.
   */
  public OptionalDouble threadCpuSeconds(long pid, String name) {
    long ns = 0;
    boolean found = false;
    try (DirectoryStream<Path> threads = Files.newDirectoryStream(process(pid).resolve("task"))) {
      for (Path thread : threads) {
        OptionalLong one = namedThreadNs(thread, name);
        if (one.isPresent()) {
          ns += one.getAsLong();
          found = true;
        }
      }
    } catch (IOException | RuntimeException e) {
      return OptionalDouble.empty();
    }
    return found ? OptionalDouble.of(ns / 1e9) : OptionalDouble.empty();
  }

  private static OptionalLong namedThreadNs(Path thread, String name) {
    try {
      if (!Files.readString(thread.resolve("comm")).strip().equals(name)) {
        return OptionalLong.empty();
      }
      String[] times = Files.readString(thread.resolve("schedstat")).split(" ", -1);
      return OptionalLong.of(Long.parseLong(times[0]));
    } catch (IOException e) {
      return OptionalLong.empty(); // ended since the directory was read
    }
  }

  /** Returns the physical memory a process occupies. */
  public OptionalLong residentBytes(long pid) {
    try {
      for (String line : Files.readAllLines(process(pid).resolve("status"))) {
        if (line.startsWith("VmRSS:")) {
          String kilobytes = line.substring("VmRSS:".length()).replace("kB", "").trim();
          return OptionalLong.of(Long.parseLong(kilobytes) * 1024);
        }
      }
    } catch (IOException | RuntimeException e) {
      return OptionalLong.empty();
    }
    return OptionalLong.empty();
  }

  /** Finds the process that listens on a TCP port, if this user may see its descriptors. */
  public OptionalLong listener(int port) {
    Set<String> sockets = new HashSet<>();
    for (String table : List.of("net/tcp", "net/tcp6")) {
      for (String line : lines(root.resolve(table))) {
        listeningSocket(line, port, sockets);
      }
    }
    return sockets.isEmpty() ? OptionalLong.empty() : owner(sockets);
  }

  /** Returns the lines of a file, none if it is not there: a kernel may lack an address family. */
  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      return List.of();
    }
  }

  private static void listeningSocket(String line, int port, Set<String> sockets) {
    String[] columns = line.trim().split("\\s+", -1);
    boolean listens =
        columns.length > 9
            && columns[3].equals(LISTENING)
            && columns[1].endsWith(String.format(Locale.ROOT, ":%04X", port));
    if (listens) {
      sockets.add("socket:[" + columns[9] + "]");
    }
  }

  private OptionalLong owner(Set<String> sockets) {
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(root, "[0-9]*")) {
      for (Path process : processes) {
        if (holds(process, sockets)) {
          return OptionalLong.of(Long.parseLong(process.getFileName().toString()));
        }
      }
    } catch (IOException e) {
      return OptionalLong.empty();
    }
    return OptionalLong.empty();
  }

  private static boolean holds(Path process, Set<String> sockets) {
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(process.resolve("fd"))) {
      for (Path descriptor : descriptors) {
        if (Files.isSymbolicLink(descriptor)
            && sockets.contains(Files.readSymbolicLink(descriptor).toString())) {
          return true;
        }
      }
    } catch (IOException e) {
      return false; // gone, or another user's
    }
    return false;
  }

  private Path process(long pid) {
    return root.resolve(Long.toString(pid));
  }
}
