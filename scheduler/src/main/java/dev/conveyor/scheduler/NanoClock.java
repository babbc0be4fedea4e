package dev.conveyor.scheduler;

/**
 * Monotonic time source, in nanoseconds from an arbitrary origin; replaced by a manual clock in
 * tests.
 */
@FunctionalInterface
public interface NanoClock {

  NanoClock SYSTEM = System::nanoTime;

  long nanoTime();
}
