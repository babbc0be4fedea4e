/**
 * Sends load to a server and measures what comes back.
 *
 * <ul>
 *   <li>To say what is sent: {@link InferPayload}, built by {@link Payloads}.
 *   <li>To reach a server: {@link LoadProtocol}; it opens a {@link LoadConnection}, which gives one
 *       {@link LoadClient} per model. Another protocol is another {@link LoadProtocol}, found by
 *       {@link java.util.ServiceLoader}.
 *   <li>To say how it is sent: {@link LoadPattern}; {@link Arrivals} is the timetable of the open
 *       loop.
 *   <li>To run one point of a sweep: {@link LoadRun}. It gives a {@link LoadPoint}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.bench.load;

import org.jspecify.annotations.NullMarked;
