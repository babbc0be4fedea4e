package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.ServerEvent;
import dev.conveyor.verticles.isolation.Decision;
import io.vertx.core.json.JsonObject;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** The faults that a run can inject. */
public enum Fault {
  /** Nothing happens, for as long as a fault might take: what windows differ by anyway. */
  CONTROL("nothing, to compare with", Place.MODEL, false),
  /** One request in a batch of 32 makes the whole execution fail. */
  POISON("poison request among 32", Place.MODEL, true),
  /** The backend throws a Java error. */
  ERROR("error thrown in the backend", Place.MODEL, true),
  /** The backend gives outputs of the wrong shape. */
  SHAPE("output of the wrong shape", Place.MODEL, true),
  /** The outputs of one request are NaN. */
  NAN("output that is NaN", Place.MODEL, true),
  /** An executor falls sick: each of its executions fails until it is replaced. */
  SICKNESS("every execution of an instance fails", Place.MODEL, true),
  /** An execution sleeps for 30 s and listens to nobody. */
  HANG("execution that sleeps for 30 s", Place.MODEL, true),
  /** Batches above 8 items run out of memory. */
  OUT_OF_MEMORY("out of memory above 8 items", Place.MODEL, true),
  /** The model's file is overwritten with rubbish, and a reload is asked for. */
  FILE_REPLACED("model file replaced by rubbish", Place.MODEL, false),
  /** The model's file is deleted, and a reload is asked for. */
  FILE_DELETED("model file deleted", Place.MODEL, false),
  /** The model is reloaded again and again. */
  RELOAD_STORM("reload storm", Place.MODEL, false),
  /** Five hundred clients send half a request and reset their connections together. */
  DISCONNECTS("500 disconnects in a request", Place.MODEL, false),
  /** A hundred clients send their request a byte at a time. */
  SLOW_LORIS("100 slow-loris clients", Place.MODEL, false),
  /** The worker process of an instance is killed. */
  SIGKILL("SIGKILL of a child", Place.CHILD, true),
  /** The worker process of an instance gets a segmentation fault. */
  SIGSEGV("SIGSEGV in a child", Place.CHILD, true),
  /** The worker process of an instance is stopped. */
  SIGSTOP("SIGSTOP of a child", Place.CHILD, true),
  /** The worker process writes rubbish on its control channel. */
  GARBAGE("garbage on a child's control channel", Place.CHILD, true),
  /** One request that costs its worker process is sent again and again. */
  RESENT("request that kills its child, resent", Place.CHILD, true),
  /** The worker process takes more memory than it may. */
  CHILD_MEMORY("child that takes memory without end", Place.CHILD, true),
  /** The worker process is killed when its model's file is another one. */
  CHILD_FILE("model file replaced, its child killed", Place.CHILD, true),
  /** No file that the server or its children write can grow while the model is reloaded. */
  FULL_DISK("no file can be written", Place.MODEL, false),
  /** An event loop is blocked for half a second. */
  BLOCKED_LOOP("event loop blocked for 0.5 s", Place.SERVER, false),
  /** The whole server stands still for half a second: its monotonic clock jumps. */
  PAUSE("server stopped for 0.5 s", Place.SERVER, false),
  /** The wall clock goes forward by an hour, then back by two, then is right again. */
  CLOCK_JUMP("wall clock jumps by hours", Place.CLOCK, false);

  /** What a fault is in. */
  enum Place {
    /** One model, wherever its instances run. */
    MODEL,
    /** The worker process of an instance. */
    CHILD,
    /** What all models share: for its time, none is untouched. */
    SERVER,
    /** The clock of the process, which only a server has that was started for that. */
    CLOCK
  }

  private static final Set<Fault> LOSING =
      EnumSet.of(
          SICKNESS, HANG, SIGKILL, SIGSEGV, SIGSTOP, GARBAGE, RESENT, CHILD_MEMORY, CHILD_FILE);

  private static final Set<Fault> OF_CLIENTS =
      EnumSet.of(POISON, ERROR, SHAPE, NAN, DISCONNECTS, SLOW_LORIS);

  private final String title;
  private final Place place;
  private final boolean decides;

  Fault(String title, Place place, boolean decides) {
    this.title = title;
    this.place = place;
    this.decides = decides;
  }

  /** Returns what it does, in a few words. */
  String title() {
    return title;
  }

  Place place() {
    return place;
  }

  /**
   * Returns true if it costs the model an instance: until that is replaced, requests may be told to
   * come again. With any other fault none may.
   */
  public boolean losesInstance() {
    return LOSING.contains(this);
  }

  /** Returns true if it is made by clients, and leaves the model as it was. */
  boolean isOfClients() {
    return OF_CLIENTS.contains(this);
  }

  /** Returns true if the server takes a decision about it, which is when it is detected. */
  boolean isDecided() {
    return decides;
  }

  /**
   * Returns true if an event is the decision that it is detected by: the first one about the model,
   * but for what must be cut, and for workers, which must be lost for the right reason.
   */
  boolean isDetectedBy(JsonObject event, String model) {
    if (!ServerEvent.ISOLATION.is(event) || !model.equals(event.getString("model"))) {
      return false;
    } else if (this == HANG) {
      return Decision.EXECUTION_CUT.label().equals(event.getString("decision"));
    } else if (place != Place.CHILD) {
      // To be slow is no fault, on a busy machine least of all.
      return !Decision.ROOM_LENT.label().equals(event.getString("decision"));
    }
    boolean lost = Decision.INSTANCE_QUARANTINED.label().equals(event.getString("decision"));
    return lost && (this != CHILD_MEMORY || "over_memory".equals(event.getString("reason")));
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
