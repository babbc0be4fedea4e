/**
 * Measures settings of a model for {@link dev.conveyor.models.tune}: single batches without a
 * server ({@link dev.conveyor.verticles.bench.tune.CostMeter}), and a server under load ({@link
 * dev.conveyor.verticles.bench.tune.ServerMeter}). {@link
 * dev.conveyor.verticles.bench.tune.TuneSession} puts both together with the search.
 */
@NullMarked
package dev.conveyor.verticles.bench.tune;

import org.jspecify.annotations.NullMarked;
