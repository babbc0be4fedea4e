/**
 * What the command {@code demo} does.
 *
 * <ul>
 *   <li>{@link Demo} is the whole of it: a server in this process, and clients that reach it over
 *       sockets as any other client would.
 *   <li>To ask the server: {@link InferClient}, over HTTP or gRPC; {@link Inspector} asks both
 *       models about the same images.
 *   <li>To measure: {@link Pass}, with {@link PassResult}.
 *   <li>To print: {@link DemoReport}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.cli.demo;

import org.jspecify.annotations.NullMarked;
