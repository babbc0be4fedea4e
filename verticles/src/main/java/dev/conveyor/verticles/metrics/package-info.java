/**
 * Figures: what each model did ({@link dev.conveyor.verticles.metrics.ModelStats}), and how it is
 * shown to Prometheus and to the statistics API.
 */
@NullMarked
package dev.conveyor.verticles.metrics;

import org.jspecify.annotations.NullMarked;
