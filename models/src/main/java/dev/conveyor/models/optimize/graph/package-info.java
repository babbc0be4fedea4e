/**
 * ONNX files as graphs that can be changed, and the preparation that every transformation starts
 * from.
 *
 * <p>{@link OnnxFile} reads and writes, {@link Graph} is the model, {@link Preparation} prepares
 * it.
 */
@NullMarked
package dev.conveyor.models.optimize.graph;

import org.jspecify.annotations.NullMarked;
