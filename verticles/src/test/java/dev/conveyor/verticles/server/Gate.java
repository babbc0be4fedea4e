package dev.conveyor.verticles.server;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Holds the executions of a model until a test lets them go. Thread-safe.
 *
 * <p>A model passes through the gate that its {@code test_gate} parameter names; see {@link
 * TestModels}. Warm-ups pass too, so make the gate after the model was loaded.
 */
public final class Gate implements AutoCloseable {

  private static final Map<String, Gate> GATES = new ConcurrentHashMap<>();

  private final String name;
  private final CountDownLatch open = new CountDownLatch(1);
  private final Semaphore arrived = new Semaphore(0);

  /** How many more are held; the others pass. */
  private final Semaphore held;

  private Gate(String name, int held) {
    this.name = name;
    this.held = new Semaphore(held);
  }

  /** Shuts the gate: the next execution waits. */
  public static Gate shut(String name) {
    return put(new Gate(name, Integer.MAX_VALUE));
  }

  /** Holds the next execution, and lets those pass that come meanwhile. */
  public static Gate holdOne(String name) {
    return hold(name, 1);
  }

  /** Holds the next so many executions, and lets those pass that come meanwhile. */
  public static Gate hold(String name, int executions) {
    return put(new Gate(name, executions));
  }

  private static Gate put(Gate gate) {
    GATES.put(gate.name, gate);
    return gate;
  }

  /** Waits until one more execution stands before the gate. */
  public void awaitArrival() throws InterruptedException {
    if (!arrived.tryAcquire(60, TimeUnit.SECONDS)) {
      throw new AssertionError("no execution arrived at gate " + name);
    }
  }

  /** Lets everything through from now on. */
  public void open() {
    GATES.remove(name, this);
    open.countDown();
  }

  @Override
  public void close() {
    open();
  }

  /** Waits before the gate of that name, if it is shut. */
  public static void pass(String name) {
    Gate gate = GATES.get(name);
    if (gate == null || !gate.held.tryAcquire()) {
      return;
    }
    gate.arrived.release();
    try {
      if (!gate.open.await(5, TimeUnit.MINUTES)) {
        throw new IllegalStateException("gate " + name + " stayed closed");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
