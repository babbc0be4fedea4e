/**
 * The configuration of a model, in Triton's vocabulary, as records that cannot hold a bad value.
 *
 * <ul>
 *   <li>One model: {@link ModelConfig} and the records it is made of.
 *   <li>What Triton has no word for: {@link Extensions}, the {@code conveyor} block of a file.
 *   <li>Reading files: the reader in this package is the only code that knows JSON and pbtxt.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.config;

import org.jspecify.annotations.NullMarked;
