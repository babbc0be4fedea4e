/**
 * The directory of models: {@code <name>/config.json | config.pbtxt | nothing} and {@code
 * <name>/<version>/model.onnx}.
 *
 * <ul>
 *   <li>What there is: {@link ModelRepository}. It opens a {@link ModelDirectory} by name.
 *   <li>One model's configuration, versions, label files: {@link ModelDirectory}.
 *   <li>Is all of it right: {@link RepositoryValidator}, with a {@link ModelInspector} if the model
 *       files are to be looked into as well.
 * </ul>
 *
 * <p>Everything here reads the file system: not for event loops. Names come from clients, so no
 * name and no link leads out of the repository. What is wrong is a {@link RepositoryException} that
 * names the path, or a {@link dev.conveyor.models.config.ConfigException}.
 */
@NullMarked
package dev.conveyor.models.repository;

import org.jspecify.annotations.NullMarked;
