package dev.conveyor.verticles.chaos;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** The faults that a run can inject. */
public enum Fault {
  /** One request in a batch of 32 makes the whole execution fail. */
  POISON("poison request among 32", true),
  /** The backend throws a Java error. */
  ERROR("error thrown in the backend", true),
  /** The backend gives outputs of the wrong shape. */
  SHAPE("output of the wrong shape", true),
  /** The outputs of one request are NaN. */
  NAN("output that is NaN", true),
  /** An executor falls sick: each of its executions fails until it is replaced. */
  SICKNESS("every execution of an instance fails", true),
  /** An execution sleeps for 30 s and listens to nobody. */
  HANG("execution that sleeps for 30 s", true),
  /** Batches above 8 items run out of memory. */
  OUT_OF_MEMORY("out of memory above 8 items", true),
  /** The model's file is overwritten with rubbish, and a reload is asked for. */
  FILE_REPLACED("model file replaced by rubbish", false),
  /** The model's file is deleted, and a reload is asked for. */
  FILE_DELETED("model file deleted", false),
  /** The model is reloaded again and again. */
  RELOAD_STORM("reload storm", false),
  /** Five hundred clients connect, send half a request and reset the connection. */
  DISCONNECTS("500 disconnects in a request", false),
  /** A hundred clients send their request a byte at a time. */
  SLOW_LORIS("100 slow-loris clients", false),
  /** The whole server stands still for half a second: every clock in it jumps. */
  PAUSE("server stopped for 0.5 s", false);

  private final String title;
  private final boolean decides;

  Fault(String title, boolean decides) {
    this.title = title;
    this.decides = decides;
  }

  /** Returns what it does, in a few words. */
  String title() {
    return title;
  }

  /** Returns true if the server takes a decision about it, which is when it is detected. */
  boolean isDecided() {
    return decides;
  }

  /** Returns the name on command lines and in reports. */
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Finds a fault by its label. */
  public static Optional<Fault> of(String label) {
    return Arrays.stream(values()).filter(fault -> fault.label().equals(label)).findFirst();
  }
}
