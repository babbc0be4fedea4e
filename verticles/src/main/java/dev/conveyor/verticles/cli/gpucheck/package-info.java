/**
 * What a machine with a GPU must show: the command {@code gpu-check}.
 *
 * <ul>
 *   <li>To check something else on hardware: a {@link Check}, and a line in {@link Checks}.
 *   <li>Every check runs in a process of its own under a time limit ({@link CheckProcess}), because
 *       what goes wrong on a GPU often takes the process with it.
 *   <li>What comes out is a {@link CheckReport}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.cli.gpucheck;

import org.jspecify.annotations.NullMarked;
