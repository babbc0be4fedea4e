/**
 * The backend that runs ONNX files with ONNX Runtime, on CPU cores.
 *
 * <ul>
 *   <li>{@link OnnxBackend} opens a file and makes an {@link OnnxModel}: one session, shared by all
 *       instances on a device, so the weights exist once.
 *   <li>{@link OnnxExecutor} runs batches for one instance on its own slabs and bindings.
 * </ul>
 *
 * <p>The only package that calls ONNX Runtime.
 */
@NullMarked
package dev.conveyor.models.onnx;

import org.jspecify.annotations.NullMarked;
