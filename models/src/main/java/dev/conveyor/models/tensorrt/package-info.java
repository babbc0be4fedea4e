/**
 * Models on GPUs through TensorRT: an engine is built from an ONNX file for one kind of device,
 * kept in a file, and shared by the instances of its model.
 *
 * <ul>
 *   <li>To run models with it: {@link TensorRtBackend}.
 *   <li>What is configured: {@link EngineOptions}; what an engine depends on: {@link EngineKey};
 *       where it is kept: {@link EngineCache}.
 *   <li>What talks to the library: {@link EngineBuilder}, {@link TensorRtModel} and {@link
 *       TensorRtEngine}; it has never run on a device.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.tensorrt;

import org.jspecify.annotations.NullMarked;
