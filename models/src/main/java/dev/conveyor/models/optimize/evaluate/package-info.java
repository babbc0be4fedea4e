/**
 * What a variant of a model is worth: {@link Evaluator} for accuracy and agreement, {@link Speed}
 * for latency and throughput, {@link Race} for anything else that is to be timed fairly.
 */
@NullMarked
package dev.conveyor.models.optimize.evaluate;

import org.jspecify.annotations.NullMarked;
