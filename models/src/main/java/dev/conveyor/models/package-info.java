/**
 * What a model is and what goes in and out of it.
 *
 * <ul>
 *   <li>Values: {@link DataType}, {@link Shape}, {@link Tensor}. A tensor owns its memory lease.
 *   <li>What a model takes and gives: {@link TensorSpec}, {@link ModelSignature}.
 *   <li>How a request can fail: {@link ErrorCode}, {@link InferenceException}.
 *   <li>Configuration: {@code config}; the directory of models: {@code repository}; running them:
 *       {@code backend}, {@code onnx}; images: {@code image}.
 * </ul>
 *
 * <p>Nothing here knows Vert.x, the network or queues.
 */
@NullMarked
package dev.conveyor.models;

import org.jspecify.annotations.NullMarked;
