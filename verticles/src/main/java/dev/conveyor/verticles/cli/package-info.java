/**
 * The commands: {@link Main} and what it starts.
 *
 * <ul>
 *   <li>{@link ServeCommand} runs a server until it is told to stop, or checks a repository.
 *   <li>{@link DemoCommand} shows what a server does, on the demo models and images; see {@code
 *       demo}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.cli;

import org.jspecify.annotations.NullMarked;
