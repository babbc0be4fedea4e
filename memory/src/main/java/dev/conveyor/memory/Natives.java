package dev.conveyor.memory;

import org.bytedeco.javacpp.Pointer;

/**
 * To be called before JavaCPP loads a library. Initialising its {@link Pointer} takes the lock
 * under which libraries are loaded, and a library that is being loaded initialises {@code Pointer}:
 * two threads that begin with one each wait for each other for ever. Thread-safe: no state.
 */
public final class Natives {

  static {
    try {
      Class<?> unused = Class.forName(Pointer.class.getName());
    } catch (ClassNotFoundException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private Natives() {}

  /** Returns when libraries may be loaded, from any number of threads. */
  public static void ready() {
    // Everything is done by the initialiser of this class, once.
  }
}
