/**
 * Requests that run through several models: {@link Ensemble} is what is shared, {@link EnsembleRun}
 * one request on its way.
 */
@NullMarked
package dev.conveyor.verticles.ensemble;

import org.jspecify.annotations.NullMarked;
