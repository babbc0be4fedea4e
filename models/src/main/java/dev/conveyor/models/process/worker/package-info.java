/**
 * The program of a worker process: {@link WorkerMain}. Knows nothing of the server but the messages
 * it sends.
 */
@NullMarked
package dev.conveyor.models.process.worker;

import org.jspecify.annotations.NullMarked;
