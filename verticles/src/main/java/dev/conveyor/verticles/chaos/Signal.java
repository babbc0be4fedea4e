package dev.conveyor.verticles.chaos;

import com.sun.jna.Library;
import com.sun.jna.Native;

/**
 * A signal of Linux. It is sent by a call, because to start a program that sends it takes as long
 * as the server takes to notice.
 */
enum Signal {
  KILL(9),
  SEGV(11),
  CONT(18),
  STOP(19);

  private final int number;

  Signal(int number) {
    this.number = number;
  }

  /** Sends it; to a process that is gone, nothing happens. */
  void to(long pid) {
    int unused = LibC.INSTANCE.kill(Math.toIntExact(pid), number);
  }

  /** Makes what sending needs ready, which takes a while the first time. */
  static void prepare() {
    int unused = LibC.INSTANCE.kill(Math.toIntExact(ProcessHandle.current().pid()), 0);
  }

  /** The function called. Public because JNA implements it. */
  public interface LibC extends Library {
    LibC INSTANCE = Native.load("c", LibC.class);

    int kill(int pid, int signal);
  }
}
