/**
 * Trying a version of a model on live requests: {@link dev.conveyor.scheduler.rollout.RolloutGuard}
 * says which requests it gets and when it has failed.
 */
@NullMarked
package dev.conveyor.scheduler.rollout;

import org.jspecify.annotations.NullMarked;
