package dev.conveyor.models.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What Linux says about processes. Stateless; 0 stands for "not known". */
final class ProcessFiles {

  private static final Path PROC = Path.of("/proc");
  private static final long PAGE_BYTES = 4096;
  private static final long KIB = 1024;

  /** Where a mapping begins and ends, and what may be done with it. */
  private static final Pattern MAPPING = Pattern.compile("[0-9a-f]+-[0-9a-f]+ (\\S{4}) ");

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

  /**
   * Has the system end this process before any other where its memory runs out. May always be
   * asked: it is only less than a process began with that takes privileges.
   */
  static void offerToOomKiller(long pid) {
    offerToOomKiller(pid, 1000);
  }

  /**
   * Has the system end this process before others of its size, but after those that serve nobody
   * yet: of equal ones it takes the largest, which is one that has a model.
   */
  static void keepFromOomKiller(long pid) {
    offerToOomKiller(pid, 500);
  }

  private static void offerToOomKiller(long pid, int score) {
    try {
      Files.writeString(PROC.resolve(pid + "/oom_score_adj"), Integer.toString(score));
    } catch (IOException e) {
      // It has ended, or this system has no such file.
    }
  }

  /** Returns when a process started, in clock ticks since the machine did. */
  static long startTicks(long pid) {
    String stat = read(pid, "stat");
    String[] fields = stat.substring(stat.lastIndexOf(')') + 1).trim().split(" ", -1);
    return fields.length > START_TIME ? number(fields[START_TIME]) : 0;
  }

  /**
   * Returns the bytes in memory that a process holds: its private ones, and those that it shares
   * but that no file on a disk stands behind. Code and weights that are mapped from files are the
   * system's to drop, and count for nobody.
   *
   * <p>What is shared is looked at closely only if it matters, because to do so takes the system
   * long: where files lie in memory, their pages look like those that the process made.
   *
   * @param lentBytes shared memory that others made for it, which does not count
   * @param limitBytes up to here it does not matter how much it is
   */
  static long heldBytes(long pid, long lentBytes, long limitBytes) {
    String[] pages = read(pid, "statm").split(" ", -1);
    if (pages.length <= 2) {
      return 0;
    }
    long residentBytes = number(pages[1]) * PAGE_BYTES;
    long privateBytes = residentBytes - number(pages[2]) * PAGE_BYTES;
    if (residentBytes - lentBytes <= limitBytes) {
      return privateBytes;
    }
    long sharedBytes =
        Math.min(sharedIn(read(pid, "status")), writableSharedIn(read(pid, "smaps")));
    return privateBytes + Math.max(0, sharedBytes - lentBytes);
  }

  /** Returns the bytes of shared memory in what Linux calls the status of a process. */
  static long sharedIn(String status) {
    return status
        .lines()
        .filter(line -> line.startsWith("RssShmem:"))
        .mapToLong(ProcessFiles::bytes)
        .sum();
  }

  /** Returns the bytes in memory of all mappings that are shared and can be written to. */
  static long writableSharedIn(String smaps) {
    long sum = 0;
    boolean counts = false;
    for (String line : smaps.split("\n", -1)) {
      Matcher mapping = MAPPING.matcher(line);
      if (mapping.lookingAt()) {
        counts = mapping.group(1).charAt(1) == 'w' && mapping.group(1).charAt(3) == 's';
      } else if (counts && line.startsWith("Rss:")) {
        sum += bytes(line);
      }
    }
    return sum;
  }

  /** Of a line such as {@code Rss: 12 kB}. */
  private static long bytes(String line) {
    return number(line.replaceAll("[^0-9]", "")) * KIB;
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
