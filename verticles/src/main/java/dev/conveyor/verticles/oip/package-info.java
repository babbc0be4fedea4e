/**
 * The Open Inference Protocol itself, without a transport.
 *
 * <ul>
 *   <li>To turn an output into class names: {@link Classification}; every front end that offers the
 *       classification extension uses it.
 *   <li>To read and write the protocol's HTTP form (JSON with binary tensors): the HTTP codec of
 *       this package. The gRPC form has its own codec, in {@code grpc}.
 * </ul>
 *
 * <p>Nothing here knows sockets or queues.
 */
@NullMarked
package dev.conveyor.verticles.oip;

import org.jspecify.annotations.NullMarked;
