/**
 * The gRPC front end: service {@code inference.GRPCInferenceService}, health and reflection.
 *
 * <ul>
 *   <li>To open the port: {@link dev.conveyor.verticles.grpc.GrpcFrontEnd} with {@link
 *       dev.conveyor.verticles.grpc.GrpcOptions}. Nothing else here is public.
 *   <li>Messages to calls and back: {@code GrpcInferCodec}, {@code RequestedOutput}, {@code
 *       TypedContents}.
 *   <li>One inference or a stream of them on the wire: {@code InferUnary}, {@code InferStream}.
 *   <li>Every other RPC: {@code ServerApi}, plain functions from request to answer.
 * </ul>
 *
 * <p>Errors are {@link dev.conveyor.models.InferenceException} until {@code GrpcStatusMapping}.
 * Messages are decoded by {@code MessageDecoder}, never by the library's own decoder.
 */
@NullMarked
package dev.conveyor.verticles.grpc;

import org.jspecify.annotations.NullMarked;
