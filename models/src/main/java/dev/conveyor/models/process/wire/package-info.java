/**
 * What a server and its worker processes share: memory and messages.
 *
 * <ul>
 *   <li>{@link ControlChannel} carries small framed messages ({@link MessageType}).
 *   <li>{@link SharedFile} is memory that both processes map: tensors never pass through a socket.
 *   <li>{@link ControlPage} lies in such memory: the worker's heartbeat.
 * </ul>
 *
 * <p>Neither side trusts the other: lengths, offsets and shapes are checked before they are used.
 */
@NullMarked
package dev.conveyor.models.process.wire;

import org.jspecify.annotations.NullMarked;
