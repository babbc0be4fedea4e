/**
 * Steps of ensembles that need no model.
 *
 * <ul>
 *   <li>To write one: implement {@link Step} and {@link StepFactory}, and name the factory in
 *       {@code META-INF/services/dev.conveyor.models.steps.StepFactory}.
 *   <li>To find one by its name in a configuration: {@link Steps}.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.steps;

import org.jspecify.annotations.NullMarked;
