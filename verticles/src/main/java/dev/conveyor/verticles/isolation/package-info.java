/**
 * What was decided to keep faults small, for those who watch.
 *
 * <ul>
 *   <li>To tell of a decision: {@link IsolationLog}, kept and published by {@link
 *       IsolationJournal}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.isolation;

import org.jspecify.annotations.NullMarked;
