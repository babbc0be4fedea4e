/**
 * The event bus as a protocol, for other Vert.x applications.
 *
 * <ul>
 *   <li>To call a model: {@link InferenceClient}, in the same JVM or across a cluster.
 *   <li>What goes over the wire: {@link BusCodec}; where: {@link BusAddresses}.
 *   <li>The server's side: {@link BusFrontEnd}, {@link EventPublisher}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.bus;

import org.jspecify.annotations.NullMarked;
