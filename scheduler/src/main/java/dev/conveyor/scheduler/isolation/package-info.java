/**
 * What keeps a fault as small as it is.
 *
 * <ul>
 *   <li>To find the requests that make a batch fail: {@link Bisection}.
 *   <li>To remember them for a while: {@link Suspects}, by {@link Fingerprint}.
 *   <li>To run smaller batches while memory is short: {@link BatchCap}.
 *   <li>To tell a sick instance from sick inputs: {@link CircuitBreaker}; when to bring up another:
 *       {@link Backoff}.
 *   <li>To tell a hung execution from a slow one: {@link ExecutionLimit}, {@link RunClock}; when to
 *       look: {@link ExecutionWatch}, {@link Stalls}.
 *   <li>To run something again without making overload worse: {@link RetryBudget}.
 * </ul>
 *
 * <p>Plain objects driven by time passed in. Times are {@link System#nanoTime} nanoseconds.
 */
@NullMarked
package dev.conveyor.scheduler.isolation;

import org.jspecify.annotations.NullMarked;
