/**
 * How the host's CPU is, as Linux tells: {@link CpuWatch} asks, once a second. What a machine does
 * not tell (a virtual machine or a container: temperature and power) is empty, never 0.
 */
@NullMarked
package dev.conveyor.memory.cpu;

import org.jspecify.annotations.NullMarked;
