/**
 * The small interface between the server and what runs a model.
 *
 * <ul>
 *   <li>{@link Backend} opens a model file on a device: {@link LoadedModel}, the weights, shared by
 *       every instance on that device.
 *   <li>{@link ModelExecutor} runs batches for one instance; it belongs to one thread.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.backend;

import org.jspecify.annotations.NullMarked;
