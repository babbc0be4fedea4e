/**
 * Smaller and faster variants of ONNX models, with proof of what they cost. A tool's library: all
 * of it blocks, and nothing of it is used while serving.
 *
 * <ul>
 *   <li>To do everything at once: {@link Optimizer}.
 *   <li>To change a model: {@code graph} prepares it, {@code precision}, {@code quantize} and
 *       {@code sparsity} each make a variant of the prepared graph.
 *   <li>To compare models: {@code data} reads labelled data, {@code evaluate} measures accuracy,
 *       agreement, latency and throughput.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.optimize;

import org.jspecify.annotations.NullMarked;
