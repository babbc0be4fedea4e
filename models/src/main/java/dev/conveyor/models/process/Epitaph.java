package dev.conveyor.models.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Says what ended a process. Stateless. */
final class Epitaph {

  /** What is added to the number of the signal that ended a process. */
  static final int SIGNALLED = 128;

  private static final Map<Integer, String> SIGNALS =
      Map.of(
          4, "SIGILL", 6, "SIGABRT", 7, "SIGBUS", 8, "SIGFPE", 9, "SIGKILL", 11, "SIGSEGV", 15,
          "SIGTERM");

  /** Begins what the JVM prints when native code crashes. */
  static final String CRASH = "# A fatal error has been detected by the Java Runtime Environment:";

  static final String FRAME = "# Problematic frame:";
  private static final int HEAD_LINES = 40;

  private Epitaph() {}

  /**
   * Describes an ended process.
   *
   * @param errors where the JVM reports a crash; need not be there
   * @param output what it printed last
   */
  static Loss of(long pid, int exitCode, Path errors, String output) {
    List<String> head = head(errors);
    if (!crash(head).isEmpty()) {
      // The JVM catches the signal, reports it, and exits.
      return crashed(pid, head);
    }
    if (exitCode <= SIGNALLED) {
      String last = output.isEmpty() ? "" : ": " + output.substring(output.lastIndexOf('\n') + 1);
      return new Loss(
          Loss.Cause.EXITED, "worker process %d exited with %d%s".formatted(pid, exitCode, last));
    }
    int signal = exitCode - SIGNALLED;
    String name = SIGNALS.getOrDefault(signal, "signal " + signal);
    String hint = signal == 9 ? ", perhaps by the system, for memory" : "";
    return new Loss(
        Loss.Cause.SIGNALLED, "worker process %d was ended by %s%s".formatted(pid, name, hint));
  }

  /**
   * Describes a process that reports a crash in native code and is about to end.
   *
   * @param head what the JVM says first
   */
  static Loss crashed(long pid, List<String> head) {
    return new Loss(
        Loss.Cause.SIGNALLED, "worker process %d crashed: %s".formatted(pid, crash(head)));
  }

  private static List<String> head(Path errors) {
    if (!Files.isReadable(errors)) {
      return List.of();
    }
    try (var lines = Files.lines(errors)) {
      return lines.limit(HEAD_LINES).toList();
    } catch (IOException | RuntimeException unreadable) {
      return List.of();
    }
  }

  /** Returns what the JVM says about a crash in native code, in a few words. */
  private static String crash(List<String> head) {
    String what =
        head.stream()
            .filter(line -> line.startsWith("#  SIG") || line.startsWith("#  EXCEPTION"))
            .map(line -> line.substring(1).trim())
            .findFirst()
            .orElse("");
    int frame = head.indexOf(FRAME);
    String where =
        frame < 0 || frame + 1 == head.size()
            ? ""
            : " in " + head.get(frame + 1).substring(1).trim();
    return what.replaceAll(",.*", "") + where;
  }
}
