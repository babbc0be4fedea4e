/**
 * The configuration of models, in Triton's vocabulary, and of the server, as records that cannot
 * hold a bad value.
 *
 * <ul>
 *   <li>One model: {@link ModelConfig} and the records it is made of.
 *   <li>What Triton has no word for: {@link Extensions}, the {@code conveyor} block of a file.
 *   <li>Reading files: {@link ModelConfigReader}, {@link ServerConfigReader}; nothing else knows
 *       JSON and pbtxt. A mistake is a {@link ConfigException}, which names file, line and key.
 *   <li>What the model itself says: {@link ModelConfigCompleter} fills in what a file leaves out
 *       and refuses what contradicts the model.
 *   <li>Showing a configuration to clients: {@link ModelConfigWriter}.
 *   <li>The server: {@link ServerConfig}.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.config;

import org.jspecify.annotations.NullMarked;
