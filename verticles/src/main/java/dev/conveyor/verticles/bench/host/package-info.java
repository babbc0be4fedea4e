/**
 * What the operating system tells about processes: {@link ProcFs}. Linux only; elsewhere every
 * answer is empty.
 */
@NullMarked
package dev.conveyor.verticles.bench.host;

import org.jspecify.annotations.NullMarked;
