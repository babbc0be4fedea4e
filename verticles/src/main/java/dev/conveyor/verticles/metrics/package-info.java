/**
 * Figures: what each model did, and how it is shown.
 *
 * <ul>
 *   <li>To count what a model does: {@link dev.conveyor.verticles.metrics.RecordingModelStats}, one
 *       per version, through {@link dev.conveyor.verticles.metrics.ModelStats}.
 *   <li>To answer Triton's statistics requests: {@link
 *       dev.conveyor.verticles.metrics.StatisticsJson}.
 *   <li>To serve Prometheus: {@link dev.conveyor.verticles.metrics.MetricsReport} in a {@link
 *       dev.conveyor.verticles.metrics.MetricsFrontEnd}.
 *   <li>To tell both, and the live page, what the scheduler holds: {@link
 *       dev.conveyor.verticles.metrics.SystemSnapshot}.
 * </ul>
 *
 * <p>Counters only grow; who wants a rate or a recent quantile keeps an earlier snapshot and takes
 * the difference.
 */
@NullMarked
package dev.conveyor.verticles.metrics;

import org.jspecify.annotations.NullMarked;
