/**
 * Models that run in processes of their own, so that what kills them does not kill the server.
 *
 * <ul>
 *   <li>{@link ProcessBackend} is a backend like any other; what it loads runs in a worker process.
 *   <li>{@link Workers} is what a server has one of: the directory of sockets and shared memory,
 *       and the watch over all workers.
 *   <li>{@link ProcessLimits} says what a worker may use.
 * </ul>
 *
 * <p>Every instance has a worker of its own: a fault takes one instance with it and leaves the
 * others of the model to serve. The price is that each holds the weights.
 */
@NullMarked
package dev.conveyor.models.process;

import org.jspecify.annotations.NullMarked;
