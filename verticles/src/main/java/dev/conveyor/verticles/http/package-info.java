/**
 * The Open Inference Protocol over HTTP/1.1 and HTTP/2.
 *
 * <ul>
 *   <li>{@link HttpFrontEnd} is the actor: one server socket shared by its event loops.
 *   <li>{@link InferHandler} is the hot path, {@link BodyReader} how bytes get off the network.
 *   <li>Everything that is not inference is in {@link ModelRoutes}; what is ours and not the
 *       protocol's, in {@link SchedulerRoutes}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.http;

import org.jspecify.annotations.NullMarked;
