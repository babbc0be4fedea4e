/**
 * Live requests for a version that is tried: {@link dev.conveyor.verticles.rollout.TrialTraffic}
 * sends them, {@link dev.conveyor.verticles.rollout.OutputComparison} compares what comes back.
 */
@NullMarked
package dev.conveyor.verticles.rollout;

import org.jspecify.annotations.NullMarked;
