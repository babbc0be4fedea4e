package dev.conveyor.models.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What Linux says about processes. Stateless; 0 stands for "not known". */
final class ProcessFiles {

  private static final Path PROC = Path.of("/proc");
  private static final long PAGE_BYTES = 4096;

  /** Of the fields behind the command's name, the one that says when the process started. */
  private static final int START_TIME = 19;

  /** With this bit a wait status says that memory was dumped; those below it are the signal. */
  private static final int CORE_DUMPED = 0x80;

  private ProcessFiles() {}

  /**
   * Returns the signal that a process is ending by, or 0. The first thread of a process that was
   * killed is gone at once; the last one gives back the memory first, which takes tens of
   * milliseconds, and only then does anybody hear of it: by a pipe, a socket, or as its parent.
   */
  static int endingSignal(long pid) {
    return signalIn(read(pid, "stat"));
  }

  /** Returns the same from the text that Linux gives. */
  static int signalIn(String stat) {
    String[] fields = stat.substring(stat.lastIndexOf(')') + 1).trim().split(" ", -1);
    boolean ends = fields[0].equals("Z") || fields[0].equals("X");
    return ends ? (int) number(fields[fields.length - 1]) & (CORE_DUMPED - 1) : 0;
  }

  /** Returns when a process started, in clock ticks since the machine did. */
  static long startTicks(long pid) {
    String stat = read(pid, "stat");
    String[] fields = stat.substring(stat.lastIndexOf(')') + 1).trim().split(" ", -1);
    return fields.length > START_TIME ? number(fields[START_TIME]) : 0;
  }

  /** Returns the bytes of a process that are in memory, shared ones left out. */
  static long residentBytes(long pid) {
    String[] pages = read(pid, "statm").split(" ", -1);
    return pages.length > 2 ? (number(pages[1]) - number(pages[2])) * PAGE_BYTES : 0;
  }

  private static String read(long pid, String file) {
    try {
      return Files.readString(PROC.resolve(Long.toString(pid)).resolve(file));
    } catch (IOException gone) {
      return "";
    }
  }

  private static long number(String text) {
    try {
      return Long.parseLong(text.trim());
    } catch (NumberFormatException e) {
      return 0;
    }
  }
}
