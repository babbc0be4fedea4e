/**
 * Runs a model in this process, without a server: the limit that a server is measured against.
 *
 * <ul>
 *   <li>{@link DirectModel} opens one {@link DirectRunner} per thread; {@link BackendModel} is the
 *       one on top of an inference backend.
 *   <li>{@link DirectBench} keeps threads busy with it and measures.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.bench.direct;

import org.jspecify.annotations.NullMarked;
