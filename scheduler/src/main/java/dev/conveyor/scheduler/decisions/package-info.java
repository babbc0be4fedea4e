/**
 * What was decided, and why.
 *
 * <ul>
 *   <li>To note a decision and to look at the last ones: {@link DecisionLog}.
 *   <li>One decision in words: {@link Decision}.
 *   <li>To ask for them over the event bus: {@link DecisionQuery}, answered by {@link Decisions}.
 * </ul>
 *
 * <p>The log is owned by the scheduler's event loop; what it hands out is immutable.
 */
@NullMarked
package dev.conveyor.scheduler.decisions;

import org.jspecify.annotations.NullMarked;
